using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

public class DistributedApplication : IHost, IAsyncDisposable
{
    private readonly IHost _host;
    private readonly EntryPointInterception? _interception;

    internal DistributedApplication(IHost host, EntryPointInterception? interception)
    {
        _host = host;
        _interception = interception;
    }

    public IServiceProvider Services => _host.Services;

    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();

    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) => CreateBuilder(new DistributedApplicationOptions { Args = args });

    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options) => new DistributedApplicationBuilder(options);

    public Task StartAsync(CancellationToken cancellationToken = default) => _host.StartAsync(cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken = default) => _host.StopAsync(cancellationToken);

    public async Task RunAsync(CancellationToken cancellationToken = default)
    {
        // A test that has taken over the entry point starts and stops the application itself.
        if (_interception is not null)
        {
            await _interception.WhenDisposed.WaitAsync(cancellationToken);
            return;
        }

        await using (this)
        {
            await StartAsync(cancellationToken);
            await _host.WaitForShutdownAsync(cancellationToken);
        }
    }

    public void Run() => RunAsync().GetAwaiter().GetResult();

    public void Dispose()
    {
        _host.Dispose();
        _interception?.Disposed();
        GC.SuppressFinalize(this);
    }

    public async ValueTask DisposeAsync()
    {
        await ((IAsyncDisposable)_host).DisposeAsync();
        _interception?.Disposed();
        GC.SuppressFinalize(this);
    }
}

/// <summary>
/// How a test gets hold of the builder and the application that an app host's own entry point makes.
/// It flows with the call of that entry point, so that several can run in one process.
/// </summary>
internal sealed class EntryPointInterception(System.Reflection.Assembly entryAssembly, Action<DistributedApplicationOptions, HostApplicationBuilderSettings> configure)
{
    private static readonly AsyncLocal<EntryPointInterception?> Ambient = new();
    private readonly TaskCompletionSource<IDistributedApplicationBuilder> _builder = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<DistributedApplication> _application = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _buildAllowed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static EntryPointInterception? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public System.Reflection.Assembly EntryAssembly => entryAssembly;

    public Task<IDistributedApplicationBuilder> Builder => _builder.Task;

    public Task<DistributedApplication> Application => _application.Task;

    public Task WhenDisposed => _disposed.Task;

    public void Configure(DistributedApplicationOptions options, HostApplicationBuilderSettings settings) => configure(options, settings);

    /// <summary>Called on the entry point's thread: hands the builder over and waits until the test builds it.</summary>
    public void BuilderReady(IDistributedApplicationBuilder builder)
    {
        _builder.TrySetResult(builder);
        _buildAllowed.Task.GetAwaiter().GetResult();
    }

    public void AllowBuild() => _buildAllowed.TrySetResult();

    public void ApplicationBuilt(DistributedApplication application) => _application.TrySetResult(application);

    /// <summary>The entry point has ended, on its own account or with an error: nobody waits for it any longer.</summary>
    public void EntryPointEnded(Exception? error)
    {
        error ??= new InvalidOperationException("The app host's entry point ended before it built an application.");
        _builder.TrySetException(error);
        _application.TrySetException(error);
    }

    public void Disposed() => _disposed.TrySetResult();
}
