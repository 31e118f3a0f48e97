using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http.Resilience;
using Microsoft.Extensions.Options;
using Polly;

namespace Microsoft.Extensions.DependencyInjection;

public static class ResilienceHttpClientBuilderExtensions
{
    /// <summary>
    /// Total time-out, retry, circuit breaker and a time-out per attempt, in this order from the outside in.
    /// All methods are retried, POST included; the circuit is one for all hosts of the client.
    /// </summary>
    public static IHttpStandardResiliencePipelineBuilder AddStandardResilienceHandler(this IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var name = $"{builder.Name}-standard";

        builder.Services.AddOptions<HttpStandardResilienceOptions>(name)
            .Validate(options => options.AttemptTimeout.Timeout <= options.TotalRequestTimeout.Timeout,
                "TotalRequestTimeout must not be shorter than AttemptTimeout.")
            .Validate(options => options.CircuitBreaker.SamplingDuration >= 2 * options.AttemptTimeout.Timeout,
                "CircuitBreaker.SamplingDuration must be at least twice AttemptTimeout.")
            .ValidateOnStart();

        // Outlives the handlers, which the factory replaces every two minutes: the circuit must not close by that.
        builder.Services.TryAddKeyedSingleton(name, (services, _) => BuildPipeline(services, name));

        builder.AddHttpMessageHandler(services =>
            new ResilienceHandler(services.GetRequiredKeyedService<ResiliencePipeline<HttpResponseMessage>>(name)));
        // The pipeline is what limits the time.
        builder.ConfigureHttpClient(client => client.Timeout = Timeout.InfiniteTimeSpan);

        return new PipelineBuilder(name, builder.Services);
    }

    private static ResiliencePipeline<HttpResponseMessage> BuildPipeline(IServiceProvider services, string name)
    {
        var options = services.GetRequiredService<IOptionsMonitor<HttpStandardResilienceOptions>>().Get(name);
        return new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = services.GetService<TimeProvider>() }
            .AddTimeout(options.TotalRequestTimeout)
            .AddRetry(options.Retry)
            .AddCircuitBreaker(options.CircuitBreaker)
            .AddTimeout(options.AttemptTimeout)
            .Build();
    }

    private sealed record PipelineBuilder(string PipelineName, IServiceCollection Services) : IHttpStandardResiliencePipelineBuilder;
}
