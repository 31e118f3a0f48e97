using RealtimeAspire.Client.Transports;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Client;

public sealed class BreakerTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly JumpingTime _time = new();

    [Fact]
    public async Task After_so_many_failures_in_a_row_nothing_is_sent_until_the_pause_is_over_and_then_one_request_at_a_time()
    {
        var breaker = new Breaker(3, TimeSpan.FromHours(1), _time);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("disconnected", await CodeOf(breaker, Failing));
        }

        Assert.Equal("circuit_open", await CodeOf(breaker, Succeeding));
        _time.Jump(TimeSpan.FromHours(1));
        var answer = new TaskCompletionSource<int>();
        var trial = breaker.PassAsync(() => answer.Task, CancellationToken.None);
        Assert.Equal("circuit_open", await CodeOf(breaker, Succeeding));
        answer.SetResult(1);
        await trial;

        Assert.Equal("", await CodeOf(breaker, Succeeding));
    }

    [Fact]
    public async Task A_trial_that_fails_opens_it_for_another_pause()
    {
        var breaker = new Breaker(1, TimeSpan.FromHours(1), _time);
        await CodeOf(breaker, Failing);
        _time.Jump(TimeSpan.FromHours(1));
        Assert.Equal("disconnected", await CodeOf(breaker, Failing));
        _time.Jump(TimeSpan.FromMinutes(59));
        Assert.Equal("circuit_open", await CodeOf(breaker, Failing));
    }

    [Fact]
    public async Task A_server_that_refuses_answers_and_what_was_given_up_is_no_failure_of_its()
    {
        var breaker = new Breaker(2, Pause, _time);
        await CodeOf(breaker, Failing);
        Assert.Equal("forbidden", await CodeOf(breaker, static () => throw new RealtimeException(ErrorCode.Forbidden)));
        await CodeOf(breaker, Failing);
        await CodeOf(breaker, Failing, new CancellationToken(canceled: true));

        Assert.Equal("", await CodeOf(breaker, Succeeding));
    }

    [Fact]
    public async Task It_can_be_told_that_it_may_be_better_now()
    {
        var breaker = new Breaker(1, TimeSpan.FromHours(1), _time);
        await CodeOf(breaker, Failing);
        breaker.Reset();

        Assert.Equal("", await CodeOf(breaker, Succeeding));
    }

    private static Task<int> Failing() => throw new RealtimeException(ErrorCode.Disconnected);

    private static Task<int> Succeeding() => Task.FromResult(1);

    private static async Task<string> CodeOf(Breaker breaker, Func<Task<int>> send, CancellationToken givenUp = default)
    {
        try
        {
            await breaker.PassAsync(send, givenUp);
            return "";
        }
        catch (RealtimeException exception)
        {
            return exception.Code;
        }
    }
}
