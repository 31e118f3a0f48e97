using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>Admits what a user asks for beside publishes and calls: subscribes, pages of the past, acknowledges, handlers.</summary>
internal sealed class RequestLimiter(
    IOptions<RealtimeOptions> options, IHostEnvironment environment, LimitInstruments instruments, TimeProvider time, AuditTrail? audit = null, SignalActions? signals = null)
{
    /// <summary>A page counts once for each begun so many events that it may have.</summary>
    private const int EventsPerToken = 50;

    private readonly BucketRate? _rate = LimitOptions.Limited(options.Value.Limits.RequestsPerSecond, LimitOptions.DefaultRequestsPerSecond, environment) is { } rate
        ? BucketRate.Of(rate, options.Value.Limits.RequestBurst, time)
        : null;

    // For those who are slowed where nobody else is.
    private readonly BucketRate _slowRate = BucketRate.Of(LimitOptions.DefaultRequestsPerSecond, options.Value.Limits.RequestBurst, time);

    // A quarter of those that a node reads at once.
    private const int PagesAtOnce = 8;

    private static readonly TimeSpan TurnTime = TimeSpan.FromSeconds(2);

    private readonly BucketSet<UserKey> _users = new(time);
    private readonly FairPlaces<UserKey> _pages = new(PagesAtOnce);

    /// <exception cref="RealtimeException"><c>rate_limited</c>.</exception>
    public void Admit(Caller caller)
    {
        Admit(caller, tokens: 1);
    }

    /// <param name="caller">Who asks.</param>
    /// <param name="events">The most that the answer may have.</param>
    /// <exception cref="RealtimeException"><c>rate_limited</c>.</exception>
    public void AdmitPage(Caller caller, int events) => Admit(caller, 1 + ((events - 1) / EventsPerToken));

    /// <summary>Reads a page when it is the user's turn: he has some at once, and others have theirs.</summary>
    /// <exception cref="RealtimeException"><c>overloaded</c>.</exception>
    public async Task<T> ReadInTurnAsync<T>(Caller caller, Func<Task<T>> read, CancellationToken cancellationToken)
    {
        var user = new UserKey(caller.Tenant, caller.UserId);
        if (!await _pages.TryEnterAsync(user, TurnTime, cancellationToken))
        {
            throw new RealtimeException(ErrorCode.Overloaded, $"You have {PagesAtOnce} pages under way, and more waiting than can be read in time; try again.");
        }

        try
        {
            return await read();
        }
        finally
        {
            _pages.Leave(user);
        }
    }

    private void Admit(Caller caller, int tokens)
    {
        var cost = signals?.CostOf(caller) ?? 1;
        if ((_rate ?? (cost > 1 ? _slowRate : null)) is { } rate && !caller.IsServer && _users.Take(new UserKey(caller.Tenant, caller.UserId), rate, tokens * cost) is { } wait)
        {
            instruments.Refused(LimitNames.Requests, caller.Tenant);
            audit?.Record(AuditAction.LimitTripped, caller.Tenant, AuditActor.Of(caller), LimitNames.Requests, ErrorCode.RateLimited.Code);
            throw new RealtimeException(ErrorCode.RateLimited, "Too many requests; slow down.") { RetryAfter = wait };
        }
    }
}
