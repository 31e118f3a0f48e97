using System.Diagnostics;
using Microsoft.Extensions.Options;
using Npgsql;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Administration;
using RealtimeAspire.Server.Features.Canvas;
using RealtimeAspire.Server.Features.Chat;
using RealtimeAspire.Server.Features.Notifications;
using RealtimeAspire.Server.Features.Presence;

try
{
    var builder = WebApplication.CreateBuilder(args);

    builder.AddServiceDefaults();
    builder.AddNpgsqlDataSource("realtime", configureDataSourceBuilder: source => source.ConfigureTracing(OnlyAsPartOfSomething));
    // Without Redis the node serves on, slower: what the backplane says of it is right.
    builder.AddRedisClient("redis", settings => settings.DisableHealthChecks = true);
    builder.AddRealtime()
        .AddChat()
        .AddCanvas()
        .AddPresence()
        .AddNotifications()
        .AddAdministration();

    var app = builder.Build();

    app.MapDefaultEndpoints();
    app.MapRealtime()
        .MapChat()
        .MapPresence()
        .MapNotifications()
        .MapAdministration();

    app.Run();
    return Environment.ExitCode;
}
catch (OptionsValidationException exception)
{
    // One line per fault, each with its key, instead of a stack.
    await Console.Error.WriteLineAsync(string.Join(Environment.NewLine, exception.Failures));
    return 1;
}

// What the node asks the database of its own accord, every other second, would bury the traces of what users do.
static void OnlyAsPartOfSomething(NpgsqlTracingOptionsBuilder tracing) => tracing
    .ConfigureCommandFilter(_ => Activity.Current is not null)
    .ConfigureBatchFilter(_ => Activity.Current is not null);
