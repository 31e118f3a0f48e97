using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Opens connections, whatever their transport, and knows those that are open.</summary>
internal sealed class ConnectionFactory(
    IOptions<RealtimeOptions> options, ConnectionCaps caps, TenantTopics topics, RealtimeInstruments instruments, TimeProvider time, ITenantQuotas? tenants = null,
    RegionLimiter? regions = null, SignalActions? actions = null)
{
    private readonly LimitOptions _limits = options.Value.Limits;
    private readonly ConcurrentDictionary<Connection, bool> _open = new();

    public IReadOnlyCollection<Connection> Connections => (IReadOnlyCollection<Connection>)_open.Keys;

    public int Count => _open.Count;

    public bool IsEmpty => _open.IsEmpty;

    /// <summary>Open until it is disposed, which its transport's owner does when that is gone.</summary>
    /// <exception cref="RealtimeException"><c>too_many_connections</c>.</exception>
    public Connection Open(Caller caller, IConnectionTransport transport, ClientOrigin? origin = null) =>
        Enter(caller, origin) is { } refusal ? throw refusal : Make(caller, transport, origin, isCounted: true);

    /// <summary>For a transport that tells by itself why it is closed: so is one too many, at once.</summary>
    /// <inheritdoc cref="Open"/>
    public Connection OpenOrClose(Caller caller, IConnectionTransport transport, ClientOrigin? origin = null)
    {
        var refusal = Enter(caller, origin);
        var connection = Make(caller, transport, origin, isCounted: refusal is null);
        if (refusal is not null)
        {
            connection.Close(refusal.Error);
        }

        return connection;
    }

    private RealtimeException? Enter(Caller caller, ClientOrigin? origin)
    {
        if (regions?.Enter(origin?.Region) is { } full)
        {
            return full;
        }

        var refusal = caps.Enter(caller);
        if (refusal is not null)
        {
            regions?.Leave(origin?.Region);
        }

        return refusal;
    }

    private Connection Make(Caller caller, IConnectionTransport transport, ClientOrigin? origin, bool isCounted)
    {
        var connection = new Connection(caller, transport, _limits, topics, instruments, time, Left, tenants) { Origin = origin };
        _open[connection] = true;
        // Looked at only now: whoever is blocked after this is found among the open ones.
        if (actions?.Blocks(caller, origin) is true)
        {
            connection.Close(ErrorCode.Blocked);
        }

        return connection;

        void Left(Connection left)
        {
            _open.TryRemove(left, out _);
            if (isCounted)
            {
                caps.Leave(caller);
                regions?.Leave(origin?.Region);
            }
        }
    }
}
