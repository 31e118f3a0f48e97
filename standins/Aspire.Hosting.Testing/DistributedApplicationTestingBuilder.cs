using System.Reflection;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable, IDisposable
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

/// <summary>Runs an app host's own entry point inside a test, up to the point where the test takes over.</summary>
public static class DistributedApplicationTestingBuilder
{
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configureBuilder, CancellationToken cancellationToken = default) where TEntryPoint : class
    {
        var assembly = typeof(TEntryPoint).Assembly;
        var entryPoint = assembly.EntryPoint ?? throw new InvalidOperationException($"{assembly.GetName().Name} has no entry point.");
        var interception = new EntryPointInterception(assembly, (options, settings) =>
        {
            options.DisableDashboard = true;
            settings.EnvironmentName = Environments.Development;
            settings.Configuration = new ConfigurationManager();
            settings.Configuration.AddInMemoryCollection([new("DcpPublisher:RandomizePorts", "true")]);
            configureBuilder(options, settings);
        });
        Run(entryPoint, args, interception);
        var builder = await interception.Builder.WaitAsync(cancellationToken);
        return new TestingBuilder(builder, interception);
    }

    /// <summary>The entry point blocks while the application lives, so it has a thread of its own.</summary>
    private static void Run(MethodInfo entryPoint, string[] args, EntryPointInterception interception)
    {
        var thread = new Thread(() =>
        {
            EntryPointInterception.Current = interception;
            try
            {
                var result = entryPoint.Invoke(null, entryPoint.GetParameters().Length == 0 ? [] : [args]);
                (result as Task)?.GetAwaiter().GetResult();
                interception.EntryPointEnded(result is int code and not 0 ? new InvalidOperationException($"The app host's entry point ended with code {code}.") : null);
            }
            catch (TargetInvocationException error)
            {
                interception.EntryPointEnded(error.InnerException);
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                interception.EntryPointEnded(error);
            }
        })
        {
            IsBackground = true,
            Name = "app host",
        };
        thread.Start();
    }

    private sealed class TestingBuilder(IDistributedApplicationBuilder inner, EntryPointInterception interception) : IDistributedApplicationTestingBuilder
    {
        public ConfigurationManager Configuration => inner.Configuration;

        public Assembly? AppHostAssembly => inner.AppHostAssembly;

        public IHostEnvironment Environment => inner.Environment;

        public IServiceCollection Services => inner.Services;

        public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource => inner.AddResource(resource);

        public DistributedApplication Build() => BuildAsync().GetAwaiter().GetResult();

        public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default)
        {
            interception.AllowBuild();
            return interception.Application.WaitAsync(cancellationToken);
        }

        public void Dispose() => interception.Disposed();

        public ValueTask DisposeAsync()
        {
            interception.Disposed();
            return ValueTask.CompletedTask;
        }
    }
}

public static class DistributedApplicationHostingTestingExtensions
{
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = default)
    {
        var endpoint = Resource(app, resourceName).Annotations.OfType<EndpointAnnotation>().FirstOrDefault(e => e.Name == (endpointName ?? "http"))
            ?? throw new ArgumentException($"Endpoint '{endpointName}' for resource '{resourceName}' not found.", nameof(endpointName));
        return new Uri(endpoint.AllocatedUrl ?? throw new InvalidOperationException($"Endpoint '{endpoint.Name}' of resource '{resourceName}' has no address yet."));
    }

    public static ValueTask<string?> GetConnectionStringAsync(this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default) =>
        Resource(app, resourceName) is IResourceWithConnectionString resource
            ? resource.GetConnectionStringAsync(cancellationToken)
            : throw new ArgumentException($"Resource '{resourceName}' does not expose a connection string.", nameof(resourceName));

    private static IResource Resource(DistributedApplication app, string name) =>
        app.Services.GetRequiredService<DistributedApplicationModel>().Resources.FirstOrDefault(r => string.Equals(r.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"Resource '{name}' not found.", nameof(name));
}
