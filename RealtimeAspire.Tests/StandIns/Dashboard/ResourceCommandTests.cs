using System.Collections.Concurrent;
using Aspire.Hosting.ApplicationModel;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.Dashboard;

public sealed class ResourceCommandTests : IAsyncDisposable
{
    private readonly TestApp _app = new();
    private readonly TestResource _api = TestApp.Replicated("api", "api-1", "api-2");
    private readonly ConcurrentBag<string> _ran = [];

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task A_command_runs_on_the_replica_that_was_named()
    {
        _api.Annotations.Add(TestApp.Command("restart", id =>
        {
            _ran.Add(id);
            return Task.CompletedTask;
        }));
        await _app.RunsAsync(_api);

        Assert.True((await _app.Commands.ExecuteCommandAsync("api-2", KnownResourceCommands.RestartCommand)).Success);
        Assert.Equal(["api-2"], _ran);
        Assert.Contains("Command 'restart' succeeded", await _app.ConsoleOfAsync(_api), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_failing_command_says_why()
    {
        _api.Annotations.Add(TestApp.Command("stop", _ => throw new InvalidOperationException("no answer")));
        await _app.RunsAsync(_api);
        var result = await _app.Commands.ExecuteCommandAsync("api-2", KnownResourceCommands.StopCommand);
        Assert.Equal((false, false, "no answer"), (result.Success, result.Canceled, result.Reason));
        Assert.Contains("InvalidOperationException: no answer", await _app.ConsoleOfAsync(_api), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cancelled_command_is_cancelled_and_not_failed()
    {
        _api.Annotations.Add(TestApp.Command("start", _ => Task.FromCanceled(new CancellationToken(canceled: true))));
        await _app.RunsAsync(_api);
        var result = await _app.Commands.ExecuteCommandAsync("api-1", KnownResourceCommands.StartCommand);
        Assert.Equal((false, true), (result.Success, result.Canceled));
    }

    [Fact]
    public async Task What_does_not_exist_is_said_not_to_exist()
    {
        await _app.RunsAsync(_api);
        Assert.Equal("Resource 'web' not found.", (await _app.Commands.ExecuteCommandAsync("web", "start")).Reason);
        Assert.Equal("Command 'start' is not available for resource 'api-1'.", (await _app.Commands.ExecuteCommandAsync("api-1", "start")).Reason);
    }
}
