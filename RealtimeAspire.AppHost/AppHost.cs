using Microsoft.Extensions.Configuration;
using RealtimeAspire.AppHost;
using RealtimeAspire.AppHost.Seed;

if (Help.IsAskedFor(args))
    return Help.Print();

var builder = DistributedApplication.CreateBuilder(args.WithSwitches());
if (!Addresses.TryRead(builder.Configuration, out var addresses, out var problem))
{
    Console.Error.WriteLine(problem);
    return 1;
}

var redis = builder.AddRedis("redis").WithRestartOnCrash();
var postgres = builder.AddPostgres("postgres").WithRestartOnCrash();
var database = postgres.AddDatabase("realtime");
if (builder.Configuration.GetValue("UseVolumes", true))
{
    redis.WithDataVolume();
    postgres.WithDataVolume();
}

// All nodes sign and check the development identity's tokens with one key, which outlives the run.
var signingKey = builder.AddParameter("signing-key", new GenerateParameterDefault { MinLength = 48, Special = false }, secret: true, persist: true);
var auditKey = builder.AddParameter("audit-key", new GenerateParameterDefault { MinLength = 48, Special = false }, secret: true, persist: true);
var environment = builder.Environment.EnvironmentName;

var api = builder.AddProject<Projects.RealtimeAspire_Api>("api")
    .WithReplicas(2)
    .WithHttpEndpoint(port: addresses.Api)
    .WithHttpHealthCheck("/health")
    .WithReference(redis).WaitFor(redis)
    .WithReference(database).WaitFor(database)
    .WithEnvironment("ASPNETCORE_ENVIRONMENT", environment)
    .WithEnvironment("Realtime__Auth__SigningKey", signingKey)
    .WithEnvironment("Realtime__Audit__Key", auditKey)
    .WithRestartOnCrash();

var web = builder.AddProject<Projects.RealtimeAspire_Web>("web")
    .WithHttpEndpoint(port: addresses.Web)
    .WithExternalHttpEndpoints()
    .WithHttpHealthCheck("/health")
    .WithReference(api).WaitFor(api)
    .WithEnvironment("ASPNETCORE_ENVIRONMENT", environment)
    .WithRestartOnCrash();

// The browser talks to the API directly; the API lets in what comes from the web client's pages.
api.WithEnvironment("Realtime__AllowedOrigins__0", web.GetEndpoint("http"));

if (!builder.TryAddSeed(api, out problem))
{
    Console.Error.WriteLine(problem);
    return 1;
}

builder.AddStartupReport(addresses, redis, postgres, database, api, web);
builder.Build().Run();
return 0;
