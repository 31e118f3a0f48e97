using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Signing;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>What has changed, as the database's triggers tell it.</summary>
internal sealed record AccessChange(string? Kind, string? Tenant, string? Topic, string? Subject);

/// <summary>
/// Keeps what this node knows of rights as the database has it: reads all of it before the node is ready and whenever something may have been
/// missed, and else what is told to have changed; then ends what is no longer allowed.
/// </summary>
internal sealed partial class AccessWatch(
    PostgresListener listener,
    AccessStore store,
    Memberships memberships,
    Revocations revocations,
    ServiceKeys keys,
    ServerSigningKeys signingKeys,
    RightsCheck check,
    TimeProvider time,
    ILogger<AccessWatch> logger) : BackgroundService, IHealthCheck
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(30);

    // Null: everything.
    private readonly Channel<AccessChange?> _changes = Channel.CreateUnbounded<AccessChange?>(new() { SingleReader = true });

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        memberships.IsLoading = true;
        listener.AccessChanged += Hear;
        listener.Restored += HearAll;
        HearAll();
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        listener.AccessChanged -= Hear;
        listener.Restored -= HearAll;
        await base.StopAsync(cancellationToken);
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(memberships.IsLoading ? HealthCheckResult.Unhealthy("Who may do what has not been read yet.") : HealthCheckResult.Healthy());

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var sweep = time.CreateTimer(_ => Sweep(), null, SweepInterval, SweepInterval);
        try
        {
            while (true)
            {
                await ApplyAsync(await _changes.Reader.ReadAsync(stoppingToken), stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The node stops.
        }
    }

    /// <summary>Whoever may connect to the database may notify: the text only says what to read.</summary>
    private void Hear(string text)
    {
        AccessChange? change = null;
        try
        {
            change = JsonSerializer.Deserialize(text, ServerJson.Default.AccessChange);
        }
        catch (JsonException)
        {
            // Then everything is read.
        }

        _changes.Writer.TryWrite(change);
    }

    private void Sweep()
    {
        memberships.Sweep();
        foreach (var (tenant, user, _) in memberships.Known().Where(static known => known.Places.IsMissed))
        {
            // They could not be read at the door.
            _changes.Writer.TryWrite(new AccessChange("member", tenant, Topic: null, user));
        }

        _ = keys.WriteUsesAsync();
    }

    private void HearAll() => _changes.Writer.TryWrite(null);

    private async Task ApplyAsync(AccessChange? change, CancellationToken stoppingToken)
    {
        try
        {
            await ReadAsync(change, stoppingToken);
        }
        catch (RealtimeException exception)
        {
            LogUnread(exception.InnerException?.Message ?? exception.Message);
            await Task.Delay(Retry, time, stoppingToken);
            // What is told meanwhile is a part of it.
            HearAll();
        }
    }

    private Task ReadAsync(AccessChange? change, CancellationToken stoppingToken) => change switch
    {
        { Kind: "topic", Tenant: { } tenant } when TopicName.TryParse(change.Topic, out var topic) => ReadTopicAsync(new TopicKey(tenant, topic), stoppingToken),
        { Kind: "member", Tenant: { } tenant, Subject: { } user } => ReadPlacesAsync(tenant, user, stoppingToken),
        { Kind: "revocation", Tenant: { } tenant, Subject: { } subject } => ReadRevocationsAsync(tenant, subject, stoppingToken),
        { Kind: "key", Subject: { } key } => ReadKeyAsync(key, stoppingToken),
        { Kind: "signing", Tenant: { } tenant, Subject: { } owner } => ReadSigningKeysAsync(tenant, owner, stoppingToken),
        _ => ReadAllAsync(stoppingToken),
    };

    private async Task ReadTopicAsync(TopicKey topic, CancellationToken stoppingToken)
    {
        await memberships.LearnPrivateAsync(topic, () => store.ReadPrivateAsync(topic, stoppingToken));
        check.Of(topic);
    }

    private async Task ReadPlacesAsync(string tenant, string user, CancellationToken stoppingToken)
    {
        if (memberships.FindPlaces(tenant, user) is { } places)
        {
            places.IsMissed = false;
            await places.LoadAsync(store, tenant, user, stoppingToken);
            check.Of(caller => caller.Tenant == tenant && caller.UserId == user);
        }
    }

    private async Task ReadRevocationsAsync(string tenant, string subject, CancellationToken stoppingToken)
    {
        foreach (var revocation in await store.ReadRevocationsAsync(tenant, subject, stoppingToken))
        {
            revocations.Set(revocation);
        }

        check.Of(caller => caller.Tenant == tenant);
    }

    private async Task ReadKeyAsync(string key, CancellationToken stoppingToken)
    {
        await keys.ReloadAsync(key, stoppingToken);
        check.Of(caller => caller.UserId == $"{Caller.KeyPrefix}{key}");
    }

    private Task ReadSigningKeysAsync(string tenant, string owner, CancellationToken stoppingToken) =>
        owner.Length == 0 ? signingKeys.LoadAsync(stoppingToken)
        : owner.StartsWith(Caller.KeyPrefix, StringComparison.Ordinal) ? ReadKeyAsync(owner[Caller.KeyPrefix.Length..], stoppingToken)
        : ReadPlacesAsync(tenant, owner, stoppingToken);

    private async Task ReadAllAsync(CancellationToken stoppingToken)
    {
        // What is told from here on may be newer than what is read; what waits is a part of it.
        while (_changes.Reader.TryRead(out _))
        {
        }

        revocations.SetAll(await store.ReadRevocationsAsync(stoppingToken));
        await keys.ReloadAllAsync(stoppingToken);
        await signingKeys.LoadAsync(stoppingToken);
        foreach (var (tenant, user, places) in memberships.Known())
        {
            await places.LoadAsync(store, tenant, user, stoppingToken);
        }

        await memberships.LearnAllPrivateAsync(() => store.ReadPrivateAsync(stoppingToken));
        check.Of(static _ => true);
    }

    [LoggerMessage(EventId = 1251, Level = LogLevel.Warning, Message = "Who may do what cannot be read, and is tried again: {Reason}")]
    private partial void LogUnread(string reason);
}
