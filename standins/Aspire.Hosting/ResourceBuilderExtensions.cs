using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static class ResourceBuilderExtensions
{
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value) where T : IResourceWithEnvironment =>
        builder.WithEnvironment(variables => variables[name] = value ?? "");

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, EndpointReference endpointReference) where T : IResourceWithEnvironment =>
        builder.WithEnvironment(variables => variables[name] = endpointReference);

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, IResourceBuilder<ParameterResource> parameter) where T : IResourceWithEnvironment =>
        builder.WithEnvironment(variables => variables[name] = parameter.Resource);

    internal static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Action<Dictionary<string, object>> callback) where T : IResourceWithEnvironment =>
        builder.WithAnnotation(new EnvironmentAnnotation(callback));

    /// <summary>Gives the connection string as <c>ConnectionStrings__name</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithConnectionString> source)
        where TDestination : IResourceWithEnvironment
    {
        var resource = source.Resource;
        return builder.WithRelationship(resource, "Reference").WithEnvironment(
            variables => variables[$"ConnectionStrings__{resource.Name}"] = resource);
    }

    /// <summary>Gives the endpoints' addresses as <c>services__name__endpoint__0</c>.</summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source) where TDestination : IResourceWithEnvironment
    {
        var resource = source.Resource;
        return builder.WithRelationship(resource, "Reference").WithEnvironment(variables =>
        {
            foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
                variables[$"services__{resource.Name}__{endpoint.Name}__0"] = new EndpointReference(resource, endpoint.Name);
        });
    }

    internal static IResourceBuilder<T> WithRelationship<T>(this IResourceBuilder<T> builder, IResource resource, string type) where T : IResource =>
        builder.WithAnnotation(new ResourceRelationshipAnnotation(resource, type));

    internal static IResourceBuilder<T> WithEndpoint<T>(this IResourceBuilder<T> builder, string name, string scheme = "tcp", int? port = null)
        where T : IResourceWithEndpoints =>
        builder.Resource.Annotations.OfType<EndpointAnnotation>().Any(e => e.Name == name)
            ? throw new DistributedApplicationException($"Endpoint with name '{name}' already exists.")
            : builder.WithAnnotation(new EndpointAnnotation(name, scheme, port));

    public static IResourceBuilder<T> WithHttpEndpoint<T>(this IResourceBuilder<T> builder, int? port = null) where T : IResourceWithEndpoints =>
        builder.WithEndpoint("http", "http", port);

    /// <summary>Of meaning when an application is published, which is not done here.</summary>
    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder) where T : IResourceWithEndpoints => builder;

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name) where T : IResourceWithEndpoints =>
        new(builder.Resource, name);

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency) where T : IResourceWithWaitSupport =>
        builder.WithRelationship(dependency.Resource, "WaitFor").WithAnnotation(new WaitAnnotation(dependency.Resource));

    internal static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key) where T : IResource =>
        builder.WithAnnotation(new HealthCheckAnnotation(key));

    /// <summary>Healthy is what answers with 200.</summary>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(this IResourceBuilder<T> builder, string? path = null) where T : IResourceWithEndpoints
    {
        var endpoint = builder.GetEndpoint("http");
        var key = $"{builder.Resource.Name}_{endpoint.EndpointName}_{path}_200_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            key, services => new HttpHealthCheck(services.GetRequiredService<IHttpClientFactory>(), endpoint, path ?? "/"), null, null));
        return builder.WithHealthCheck(key);
    }

    private sealed class HttpHealthCheck(IHttpClientFactory clients, EndpointReference endpoint, string path) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            if (!endpoint.IsAllocated)
                return HealthCheckResult.Unhealthy("The endpoint has no address yet.");
            var uri = new Uri(new Uri(endpoint.Url), path);
            using var client = clients.CreateClient(nameof(HttpHealthCheck));
            using var response = await client.GetAsync(uri, cancellationToken);
            return response.StatusCode == System.Net.HttpStatusCode.OK
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"{uri} answered {(int)response.StatusCode} instead of 200.");
        }
    }
}
