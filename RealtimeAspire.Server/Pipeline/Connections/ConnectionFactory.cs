using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Limits;

namespace RealtimeAspire.Server.Pipeline.Connections;

/// <summary>Opens connections, whatever their transport, and knows those that are open.</summary>
internal sealed class ConnectionFactory(IOptions<RealtimeOptions> options, RealtimeInstruments instruments, TimeProvider time, ITenantQuotas? tenants = null)
{
    private readonly LimitOptions _limits = options.Value.Limits;
    private readonly ConcurrentDictionary<Connection, bool> _open = new();

    public IReadOnlyCollection<Connection> Connections => (IReadOnlyCollection<Connection>)_open.Keys;

    public int Count => _open.Count;

    public bool IsEmpty => _open.IsEmpty;

    /// <summary>Open until it is disposed, which its transport's owner does when that is gone.</summary>
    public Connection Open(Caller caller, IConnectionTransport transport)
    {
        var connection = new Connection(caller, transport, _limits, instruments, time, left => _open.TryRemove(left, out _), tenants);
        _open[connection] = true;
        return connection;
    }
}
