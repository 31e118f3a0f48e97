using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly.CircuitBreaker;
using Polly.Timeout;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.HttpResilience;

public sealed class HttpResilienceTests
{
    [Theory]
    [InlineData(HttpStatusCode.InternalServerError)]
    [InlineData(HttpStatusCode.ServiceUnavailable)]
    [InlineData(HttpStatusCode.RequestTimeout)]
    [InlineData(HttpStatusCode.TooManyRequests)]
    public async Task A_transient_answer_is_retried_until_it_is_a_good_one(HttpStatusCode failure)
    {
        var (client, calls) = Client(call => Task.FromResult(new HttpResponseMessage(call < 3 ? failure : HttpStatusCode.OK)));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("http://api/"))).StatusCode);
        Assert.Equal(3, calls.Count);
    }

    [Fact]
    public async Task After_three_retries_the_last_answer_counts()
    {
        var (client, calls) = Client(_ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.BadGateway)));
        Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync(new Uri("http://api/"))).StatusCode);
        Assert.Equal(4, calls.Count);
    }

    [Theory]
    [InlineData(HttpStatusCode.NotFound)]
    [InlineData(HttpStatusCode.Conflict)]
    public async Task An_answer_that_will_not_change_is_not_retried(HttpStatusCode answer)
    {
        var (client, calls) = Client(_ => Task.FromResult(new HttpResponseMessage(answer)));
        await client.GetAsync(new Uri("http://api/"));
        Assert.Single(calls);
    }

    [Fact]
    public async Task A_post_is_retried_too_and_carries_its_body_again()
    {
        var (client, calls) = Client(call => call == 1 ? throw new HttpRequestException("refused") : Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK)));
        await client.PostAsync(new Uri("http://api/"), new StringContent("body"));
        Assert.Equal(["body", "body"], calls);
    }

    [Fact]
    public async Task Retry_After_replaces_the_computed_delay()
    {
        // Without the header the first retry would come after about a minute, which is too late.
        var (client, _) = Client(call =>
        {
            var response = new HttpResponseMessage(call == 1 ? HttpStatusCode.ServiceUnavailable : HttpStatusCode.OK);
            response.Headers.RetryAfter = new(TimeSpan.FromMilliseconds(0));
            return Task.FromResult(response);
        }, options => options.Retry.Delay = TimeSpan.FromSeconds(60));

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("http://api/"))).StatusCode);
    }

    [Fact]
    public async Task An_attempt_that_hangs_is_cut_off_and_retried()
    {
        var (client, calls) = Client(async (call, cancellationToken) =>
        {
            if (call == 1)
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return new HttpResponseMessage(HttpStatusCode.OK);
        }, configure: options => options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(1));

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("http://api/"))).StatusCode);
        Assert.Equal(2, calls.Count);
    }

    [Fact]
    public async Task All_attempts_together_have_30_seconds()
    {
        var (client, calls) = Client(async (_, cancellationToken) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return new HttpResponseMessage(HttpStatusCode.OK);
        }, new FastTime(10));

        var exception = await Assert.ThrowsAsync<TimeoutRejectedException>(() => client.GetAsync(new Uri("http://api/")));
        Assert.Equal(TimeSpan.FromSeconds(30), exception.Timeout);
        Assert.InRange(calls.Count, 2, 3);
        Assert.Equal(Timeout.InfiniteTimeSpan, client.Timeout);
    }

    [Fact]
    public async Task The_callers_cancellation_is_neither_retried_nor_disguised()
    {
        using var source = new CancellationTokenSource();
        var (client, calls) = Client(async (_, cancellationToken) =>
        {
            await source.CancelAsync();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return new HttpResponseMessage(HttpStatusCode.OK);
        });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.GetAsync(new Uri("http://api/"), source.Token));
        Assert.Single(calls);
    }

    [Fact]
    public async Task The_circuit_opens_when_enough_attempts_fail()
    {
        var (client, calls) = Client(_ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.InternalServerError)),
            options => (options.CircuitBreaker.MinimumThroughput, options.Retry.ShouldHandle) = (5, _ => new(false)));

        for (var i = 0; i < 5; i++)
            await client.GetAsync(new Uri("http://api/"));

        await Assert.ThrowsAsync<BrokenCircuitException>(() => client.GetAsync(new Uri("http://api/")));
        Assert.Equal(5, calls.Count);
    }

    [Fact]
    public void The_defaults_are_the_real_ones()
    {
        var options = new HttpStandardResilienceOptions();
        Assert.Equal((30, 10), (options.TotalRequestTimeout.Timeout.TotalSeconds, options.AttemptTimeout.Timeout.TotalSeconds));
        Assert.Equal((3, 2, true), (options.Retry.MaxRetryAttempts, options.Retry.Delay.TotalSeconds, options.Retry.UseJitter));
        Assert.Equal((0.1, 100, 30, 5), (options.CircuitBreaker.FailureRatio, options.CircuitBreaker.MinimumThroughput,
            options.CircuitBreaker.SamplingDuration.TotalSeconds, options.CircuitBreaker.BreakDuration.TotalSeconds));
    }

    [Fact]
    public void Time_outs_that_contradict_each_other_are_refused()
    {
        Assert.Throws<OptionsValidationException>(() => Client(_ => throw new NotSupportedException(), options => options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(31)));
        Assert.Throws<OptionsValidationException>(() => Client(_ => throw new NotSupportedException(), options => options.AttemptTimeout.Timeout = TimeSpan.FromSeconds(20)));
    }

    private static (HttpClient Client, List<string> Calls) Client(Func<int, Task<HttpResponseMessage>> answer, Action<HttpStandardResilienceOptions>? configure = null) =>
        Client((call, _) => answer(call), time: null, configure);

    /// <summary>Retries follow at once; the time-outs are those of the real package, in real time unless another is given.</summary>
    private static (HttpClient Client, List<string> Calls) Client(
        Func<int, CancellationToken, Task<HttpResponseMessage>> answer, TimeProvider? time = null, Action<HttpStandardResilienceOptions>? configure = null)
    {
        var calls = new List<string>();
        var services = new ServiceCollection();
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddHttpClient("test")
            .ConfigurePrimaryHttpMessageHandler(() => new Server(calls, answer))
            .AddStandardResilienceHandler()
            .Configure(options =>
            {
                options.Retry.Delay = time is null ? TimeSpan.FromMilliseconds(1) : options.Retry.Delay;
                configure?.Invoke(options);
            });
        return (services.BuildServiceProvider().GetRequiredService<IHttpClientFactory>().CreateClient("test"), calls);
    }

    private sealed class Server(List<string> calls, Func<int, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            calls.Add(request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken));
            return await answer(calls.Count, cancellationToken);
        }
    }
}
