using Polly;

namespace Microsoft.Extensions.Http.Resilience;

/// <summary>Runs each request through the pipeline. ExecuteAsync, not Execute: that would take the async lambda and retry nothing.</summary>
internal sealed class ResilienceHandler(ResiliencePipeline<HttpResponseMessage> pipeline) : DelegatingHandler
{
    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        pipeline.ExecuteAsync(
            static async (send, attempt) => await send.Attempt(send.Request, attempt),
            (Attempt: (Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>>)base.SendAsync, Request: request),
            cancellationToken).AsTask();
}
