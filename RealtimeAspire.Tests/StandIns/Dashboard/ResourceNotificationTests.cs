using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

public sealed class ResourceNotificationTests : IAsyncDisposable
{
    private static readonly HealthReportSnapshot Healthy = new("check", HealthStatus.Healthy, null, null);
    private static readonly HealthReportSnapshot Unhealthy = new("check", HealthStatus.Unhealthy, "refused", null);

    private readonly TestApp _app = new();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task An_update_reaches_every_replica_and_an_update_of_one_only_that_one()
    {
        var api = TestApp.Replicated("api", "api-1", "api-2");
        await _app.RunsAsync(api);
        await _app.Notifications.PublishUpdateAsync(api, "api-2", s => s with { State = KnownResourceStates.Exited, ExitCode = 3 });

        Assert.True(_app.Notifications.TryGetCurrentState("api-1", out var first));
        Assert.True(_app.Notifications.TryGetCurrentState("api-2", out var second));
        Assert.Equal((KnownResourceStates.Running, (int?)null), (first.Snapshot.State?.Text, first.Snapshot.ExitCode));
        Assert.Equal((KnownResourceStates.Exited, 3), (second.Snapshot.State?.Text, second.Snapshot.ExitCode));
        Assert.False(_app.Notifications.TryGetCurrentState("api", out _), "With two replicas the name says too little.");
    }

    [Fact(Timeout = 10_000)]
    public async Task A_watcher_gets_what_is_known_and_then_every_change_once()
    {
        var api = new TestResource("api");
        await _app.EndsAsync(api, KnownResourceStates.Starting);

        var seen = new List<string?>();
        await foreach (var change in _app.Notifications.WatchAsync())
        {
            seen.Add(change.Snapshot.State?.Text);
            if (seen.Count == 1)
                await _app.RunsAsync(api);
            else if (seen.Count == 2)
                await _app.EndsAsync(api, KnownResourceStates.Exited);
            else
                break;
        }

        Assert.Equal([KnownResourceStates.Starting, KnownResourceStates.Running, KnownResourceStates.Exited], seen);
        Assert.Equal(0, _app.Notifications.WatcherCount);
    }

    [Fact]
    public async Task A_resource_with_checks_is_not_healthy_before_all_of_them_have_answered()
    {
        var api = new TestResource("api");
        api.Annotations.Add(new HealthCheckAnnotation("check"));

        await _app.Notifications.PublishUpdateAsync(api, s => s with { State = KnownResourceStates.Running });
        Assert.Equal(HealthStatus.Unhealthy, Health());
        await _app.RunsAsync(api, Healthy, new HealthReportSnapshot("other", null, null, null));
        Assert.Equal(HealthStatus.Unhealthy, Health());
        await _app.RunsAsync(api, Healthy);
        Assert.Equal(HealthStatus.Healthy, Health());
        await _app.EndsAsync(api, KnownResourceStates.Exited);
        Assert.Null(Health());

        HealthStatus? Health() => _app.Notifications.TryGetCurrentState("api", out var e) ? e.Snapshot.HealthStatus : null;
    }

    [Fact(Timeout = 10_000)]
    public async Task A_wait_that_is_cancelled_says_what_the_resource_was_doing()
    {
        await _app.RunsAsync(new TestResource("api"), Unhealthy);
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
        var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _app.Notifications.WaitForResourceHealthyAsync("api", WaitBehavior.WaitOnResourceUnavailable, limit.Token));
        Assert.Contains("'api' is Running, check: Unhealthy refused", error.Message, StringComparison.Ordinal);
    }

    [Fact(Timeout = 10_000)]
    public async Task Waiting_for_health_gives_up_on_a_failed_resource_only_where_asked_to()
    {
        var api = new TestResource("api");
        await _app.EndsAsync(api, KnownResourceStates.FailedToStart);

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() =>
            _app.Notifications.WaitForResourceHealthyAsync("api", WaitBehavior.StopOnResourceUnavailable));
        Assert.Contains("'api' has entered the 'FailedToStart' state", error.Message, StringComparison.Ordinal);

        var patient = _app.Notifications.WaitForResourceHealthyAsync("api", WaitBehavior.WaitOnResourceUnavailable);
        Assert.False(patient.IsCompleted);
        await _app.RunsAsync(api);
        Assert.Equal("api", (await patient).ResourceId);
    }

    [Fact(Timeout = 10_000)]
    public async Task Disposal_ends_the_watchers()
    {
        var wait = _app.Notifications.WaitForResourceAsync("never");
        _app.Notifications.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);
    }

    [Fact(Timeout = 10_000)]
    public async Task WaitFor_waits_until_all_replicas_are_healthy()
    {
        var api = TestApp.Replicated("api", "api-1", "api-2");
        var (web, ready) = WaitFor(api);
        await _app.RunsAsync(api, Unhealthy);
        await PublishHealthAsync("api-1", Healthy);
        Assert.False(ready.IsCompleted);
        await PublishHealthAsync("api-1", Unhealthy);
        await PublishHealthAsync("api-2", Healthy);
        Assert.False(ready.IsCompleted);
        await PublishHealthAsync("api-1", Healthy);
        await ready;

        var console = await _app.ConsoleOfAsync(web);
        Assert.Contains("Waiting for resource 'api' to become healthy.", console, StringComparison.Ordinal);
        Assert.Contains("Finished waiting for resource 'api'.", console, StringComparison.Ordinal);

        Task PublishHealthAsync(string id, HealthReportSnapshot report) =>
            _app.Notifications.PublishUpdateAsync(api, id, s => s with { HealthReports = [report] });
    }

    [Fact(Timeout = 10_000)]
    public async Task A_dependency_that_fails_ends_the_wait_with_its_name()
    {
        var api = TestApp.Replicated("api", "api-1", "api-2");
        var (web, ready) = WaitFor(api, WaitBehavior.StopOnResourceUnavailable);
        await _app.RunsAsync(api, Unhealthy);
        await _app.Notifications.PublishUpdateAsync(api, "api-2", s => s with { State = KnownResourceStates.Exited, ExitCode = 134 });

        var error = await Assert.ThrowsAsync<DistributedApplicationException>(() => ready);
        Assert.Equal("Resource 'api-2' has entered the 'Exited' state with exit code 134.", error.Message);
        Assert.Contains(error.Message, await _app.ConsoleOfAsync(web), StringComparison.Ordinal);
    }

    [Fact(Timeout = 10_000)]
    public async Task A_dependency_that_fails_may_be_started_again()
    {
        var api = new TestResource("api");
        var (web, ready) = WaitFor(api, WaitBehavior.WaitOnResourceUnavailable);
        await _app.EndsAsync(api, KnownResourceStates.FailedToStart);
        await _app.RunsAsync(api, Healthy);
        await ready;
        Assert.Contains("Finished waiting", await _app.ConsoleOfAsync(web), StringComparison.Ordinal);
    }

    [Fact(Timeout = 10_000)]
    public async Task One_failed_dependency_is_enough_to_stop_waiting_for_the_others()
    {
        var redis = new TestResource("redis");
        var (web, _) = WaitFor(new TestResource("never"));
        web.Annotations.Add(new WaitAnnotation(redis, WaitBehavior.StopOnResourceUnavailable));
        var ready = _app.Notifications.WaitForDependenciesAsync(web, CancellationToken.None);
        await _app.EndsAsync(redis, KnownResourceStates.FailedToStart);
        Assert.Equal("Resource 'redis' has entered the 'FailedToStart' state.", (await Assert.ThrowsAsync<DistributedApplicationException>(() => ready)).Message);
    }

    private (TestResource Web, Task Ready) WaitFor(IResource dependency, WaitBehavior behavior = WaitBehavior.WaitOnResourceUnavailable)
    {
        var web = new TestResource("web");
        web.Annotations.Add(new WaitAnnotation(dependency, behavior));
        return (web, _app.Notifications.WaitForDependenciesAsync(web, CancellationToken.None));
    }
}
