namespace Aspire.Hosting.ApplicationModel;

/// <param name="Port">The port that others see; null means any free one.</param>
internal sealed record EndpointAnnotation(string Name, string UriScheme, int? Port) : IResourceAnnotation
{
    private readonly TaskCompletionSource<int> _allocated = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int? AllocatedPort => _allocated.Task.IsCompletedSuccessfully ? _allocated.Task.Result : null;

    public string? AllocatedUrl => AllocatedPort is { } port ? $"{UriScheme}://localhost:{port}" : null;

    public void Allocate(int port) => _allocated.TrySetResult(port);

    public Task WhenAllocatedAsync(CancellationToken cancellationToken) => _allocated.Task.WaitAsync(cancellationToken);
}

public enum EndpointProperty
{
    Url = 0,
    Host = 1,
    Port = 3,
    HostAndPort = 6,
}

public sealed class EndpointReference(IResourceWithEndpoints owner, string endpointName) : IValueProvider
{
    public string EndpointName => endpointName;

    public string Url => Annotation.AllocatedUrl ?? throw new InvalidOperationException($"The endpoint `{endpointName}` is not allocated for the resource `{owner.Name}`.");

    public bool IsAllocated => Annotation.AllocatedPort is not null;

    internal EndpointAnnotation Annotation => owner.Annotations.OfType<EndpointAnnotation>().SingleOrDefault(e => e.Name == endpointName)
        ?? throw new InvalidOperationException($"The endpoint `{endpointName}` is not defined for the resource `{owner.Name}`.");

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => Property(EndpointProperty.Url).GetValueAsync(cancellationToken);
}

public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property) : IValueProvider
{
    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default)
    {
        var endpoint = endpointReference.Annotation;
        await endpoint.WhenAllocatedAsync(cancellationToken);
        return property switch
        {
            EndpointProperty.Url => endpoint.AllocatedUrl,
            EndpointProperty.Host => "localhost",
            EndpointProperty.Port => $"{endpoint.AllocatedPort}",
            EndpointProperty.HostAndPort => $"localhost:{endpoint.AllocatedPort}",
            _ => throw new InvalidOperationException($"The property '{property}' is not supported for the endpoint '{endpointReference.EndpointName}'."),
        };
    }
}
