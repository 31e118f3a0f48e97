namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>Sends each request to one of its service's endpoints; a retry from an outer handler is resolved anew.</summary>
internal sealed class ResolvingHttpHandler(ConfiguredEndpoints endpoints) : DelegatingHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var original = request.RequestUri;
        if (original is { IsAbsoluteUri: true })
            request.RequestUri = endpoints.Resolve(original);

        try
        {
            return await base.SendAsync(request, cancellationToken);
        }
        finally
        {
            request.RequestUri = original;
        }
    }
}
