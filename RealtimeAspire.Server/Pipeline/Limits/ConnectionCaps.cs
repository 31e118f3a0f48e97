using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>How many connections there may be: on this node, of a tenant on all nodes, of a user on this one.</summary>
internal sealed class ConnectionCaps(
    IOptions<RealtimeOptions> options, IHostEnvironment environment, TenantLimits tenants, TenantShares shares, LimitInstruments instruments, AuditTrail? audit = null)
{
    // Nobody knows when one will go.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly int _most = LimitOptions.Limited(options.Value.Limits.Connections) ?? int.MaxValue;
    private readonly int _mostOfUser =
        LimitOptions.Limited(options.Value.Limits.UserConnections, LimitOptions.DefaultUserConnections, environment) ?? int.MaxValue;

    private readonly Lock _lock = new();

    // Under the lock.
    private readonly Dictionary<UserKey, int> _users = [];
    private int _count;

    /// <summary>Counts a connection, unless there are enough.</summary>
    /// <returns>Null: it counts until <see cref="Leave"/>. Otherwise why it does not: <c>too_many_connections</c>.</returns>
    public RealtimeException? Enter(Caller caller)
    {
        var user = new UserKey(caller.Tenant, caller.UserId);
        lock (_lock)
        {
            if (WhyFull_NeedsLock(user) is { } full)
            {
                return Refuse(full, caller);
            }

            if (!shares.Of(caller.Tenant).TryAddConnection(tenants.Of(caller.Tenant).Connections))
            {
                return Refuse(LimitNames.TenantConnections, caller);
            }

            _count++;
            _users[user] = _users.GetValueOrDefault(user) + 1;
            return null;
        }
    }

    public void Leave(Caller caller)
    {
        var user = new UserKey(caller.Tenant, caller.UserId);
        lock (_lock)
        {
            _count--;
            if (--_users[user] is var rest && rest == 0)
            {
                _users.Remove(user);
            }
        }

        shares.Of(caller.Tenant).RemoveConnection();
    }

    /// <summary>Whether another one would be refused, as far as can be told before it is there.</summary>
    public RealtimeException? Look(Caller caller)
    {
        lock (_lock)
        {
            return WhyFull_NeedsLock(new UserKey(caller.Tenant, caller.UserId)) is { } full ? Refuse(full, caller) : null;
        }
    }

    private string? WhyFull_NeedsLock(UserKey user) => _count >= _most
        ? LimitNames.Connections
        : _users.GetValueOrDefault(user) >= _mostOfUser ? LimitNames.UserConnections : null;

    private RealtimeException Refuse(string limit, Caller caller)
    {
        instruments.Refused(limit, caller.Tenant);
        audit?.Record(AuditAction.LimitTripped, caller.Tenant, AuditActor.Of(caller), limit, ErrorCode.TooManyConnections.Code);
        var sentence = limit switch
        {
            LimitNames.UserConnections => "You have as many connections here as you may have; close one.",
            LimitNames.TenantConnections => "The tenant has as many connections as it may have; try again.",
            _ => ErrorCode.TooManyConnections.Sentence,
        };
        return new RealtimeException(ErrorCode.TooManyConnections, sentence) { RetryAfter = RetryAfter };
    }
}
