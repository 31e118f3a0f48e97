using Microsoft.Extensions.Options;
using RealtimeAspire.Server;
using RealtimeAspire.Server.Features.Chat;

try
{
    var builder = WebApplication.CreateBuilder(args);

    builder.AddServiceDefaults();
    builder.AddNpgsqlDataSource("realtime");
    builder.AddRedisClient("redis");
    builder.AddRealtime()
        .AddChat();

    var app = builder.Build();

    app.MapDefaultEndpoints();
    app.MapRealtime()
        .MapChat();

    app.Run();
    return Environment.ExitCode;
}
catch (OptionsValidationException exception)
{
    // One line per fault, each with its key, instead of a stack.
    await Console.Error.WriteLineAsync(string.Join(Environment.NewLine, exception.Failures));
    return 1;
}
