using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace RealtimeAspire.Benchmarks.Peers;

/// <summary>SignalR as its documentation shows it: groups, defaults, no store, no identity.</summary>
internal sealed class BareHub : Hub
{
    public const string Command = "bare-hub";
    public const string Path = "/hub";

    public Task Subscribe(string topic) => Groups.AddToGroupAsync(Context.ConnectionId, topic);

    public Task Publish(string topic, JsonElement payload) => Clients.Group(topic).SendAsync("Event", payload);

    public static async Task<int> RunAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSignalR();
        await using var app = builder.Build();
        app.MapGet("/", () => Results.Ok());
        app.MapHub<BareHub>(Path);
        await app.RunAsync();
        return 0;
    }
}
