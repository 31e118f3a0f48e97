using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Opens connections, whatever their transport, and knows those that are open.</summary>
internal sealed class ConnectionFactory(
    IOptions<RealtimeOptions> options, ConnectionCaps caps, TenantTopics topics, RealtimeInstruments instruments, TimeProvider time, ITenantQuotas? tenants = null)
{
    private readonly LimitOptions _limits = options.Value.Limits;
    private readonly ConcurrentDictionary<Connection, bool> _open = new();

    public IReadOnlyCollection<Connection> Connections => (IReadOnlyCollection<Connection>)_open.Keys;

    public int Count => _open.Count;

    public bool IsEmpty => _open.IsEmpty;

    /// <summary>Open until it is disposed, which its transport's owner does when that is gone.</summary>
    /// <exception cref="RealtimeException"><c>too_many_connections</c>.</exception>
    public Connection Open(Caller caller, IConnectionTransport transport) =>
        caps.Enter(caller) is { } refusal ? throw refusal : Make(caller, transport, isCounted: true);

    /// <summary>For a transport that tells by itself why it is closed: so is one too many, at once.</summary>
    /// <inheritdoc cref="Open"/>
    public Connection OpenOrClose(Caller caller, IConnectionTransport transport)
    {
        var refusal = caps.Enter(caller);
        var connection = Make(caller, transport, isCounted: refusal is null);
        if (refusal is not null)
        {
            connection.Close(refusal.Error);
        }

        return connection;
    }

    private Connection Make(Caller caller, IConnectionTransport transport, bool isCounted)
    {
        var connection = new Connection(caller, transport, _limits, topics, instruments, time, Left, tenants);
        _open[connection] = true;
        return connection;

        void Left(Connection left)
        {
            _open.TryRemove(left, out _);
            if (isCounted)
            {
                caps.Leave(caller);
            }
        }
    }
}
