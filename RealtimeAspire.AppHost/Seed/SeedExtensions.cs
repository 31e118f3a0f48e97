using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.AppHost.Seed;

internal static class SeedExtensions
{
    private const string Key = "Seed";

    /// <summary>A switch without a value is none to the configuration: <c>--seed</c> is <c>--Seed=true</c>.</summary>
    public static string[] WithSwitches(this string[] args) => [.. args.Select(arg => arg.Equals($"--{Key}", StringComparison.OrdinalIgnoreCase) ? $"--{Key}=true" : arg)];

    /// <summary>With <c>--seed</c> people come and talk, once the API answers. In development only, where anybody gets a token for any name.</summary>
    /// <param name="problem">Why it cannot be.</param>
    public static bool TryAddSeed(this IDistributedApplicationBuilder builder, IResourceBuilder<ProjectResource> api, out string? problem)
    {
        problem = null;
        if (!builder.Configuration.GetValue(Key, false))
            return true;
        if (!builder.Environment.IsDevelopment())
        {
            problem = $"--seed is for development, and this is {builder.Environment.EnvironmentName}: it speaks for people who have not asked for it.";
            return false;
        }

        builder.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<Seeding>(services, api.Resource.Name, api.GetEndpoint("http")));
        return true;
    }
}

/// <summary>Waits for the API and lets the people of <see cref="SeedStory"/> speak.</summary>
internal sealed partial class Seeding(string name, EndpointReference api, ResourceNotificationService notifications, ILogger<Seeding> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await notifications.WaitForResourceHealthyAsync(name, WaitBehavior.WaitOnResourceUnavailable, stoppingToken);
            using var http = new HttpClient { BaseAddress = new Uri(api.Url) };
            var place = new SeedPlace(http, stoppingToken);
            Console.WriteLine(await SeedStory.TellAsync(place) switch
            {
                Seeded.Now => "  A living place was made. Sign in as ada, grace, linus or joan.",
                Seeded.Before => "  The place was seeded before: nothing was added.",
                _ => "  Others have talked in #general already: nothing was seeded.",
            });
        }
        catch (Exception exception) when (exception is HttpRequestException or InvalidOperationException or TaskCanceledException && !stoppingToken.IsCancellationRequested)
        {
            NotSeeded(logger, exception);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "The place could not be seeded. Started again with --seed, it goes on where it was.")]
    private static partial void NotSeeded(ILogger logger, Exception exception);
}
