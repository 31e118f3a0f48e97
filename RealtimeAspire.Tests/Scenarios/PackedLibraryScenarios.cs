using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Somebody else's ASP.NET Core app takes the server as a package, and runs it alone, without any store.</summary>
public sealed class PackedLibraryScenarios : IAsyncLifetime
{
    private const string ProjectFile = """
        <Project Sdk="Microsoft.NET.Sdk.Web">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="RealtimeAspire.Server" Version="0.1.0" />
          </ItemGroup>
        </Project>
        """;

    private const string Program = """
        using RealtimeAspire.Server;

        var builder = WebApplication.CreateBuilder(args);
        builder.AddRealtime();
        var app = builder.Build();
        app.MapRealtime();
        app.MapPost("/ticks/{price:decimal}", async (decimal price, ITopicPublisher publisher) =>
            (await publisher.PublishAsync("room:ticker", "app:tick", new { price })).Position);
        await app.StartAsync();
        Console.WriteLine($"Listening on {app.Urls.First()}");
        await app.WaitForShutdownAsync();
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-packed-").FullName;

    public async ValueTask InitializeAsync()
    {
        var packages = Path.Combine(_folder, "packages");
        foreach (var project in new[] { "Protocol", "Server" })
        {
            await RunAsync("pack", Repository.PathOf($"RealtimeAspire.{project}"), "-o", packages, $"-p:ArtifactsPath={Path.Combine(_folder, "build")}");
        }

        // In the partial feed the package asks for this one; in the full feed for the real one, which is newer.
        await RunAsync("pack", Repository.PathOf("standins/Microsoft.AspNetCore.SignalR.Protocols.MessagePack"), "-o", packages, "-p:IsPackable=true", $"-p:ArtifactsPath={Path.Combine(_folder, "build")}");

        var app = Directory.CreateDirectory(Path.Combine(_folder, "app")).FullName;
        await File.WriteAllTextAsync(Path.Combine(app, "App.csproj"), ProjectFile, Topology.Cancelled);
        await File.WriteAllTextAsync(Path.Combine(app, "Program.cs"), Program, Topology.Cancelled);
        // Its packages in a folder of its own: in the user's, this version might be an older build.
        await RunAsync("build", app, "-o", Path.Combine(_folder, "out"), $"-p:RestoreAdditionalProjectSources={packages}", $"-p:RestorePackagesPath={Path.Combine(_folder, "restored")}");
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_app_of_somebody_elses_hosts_the_server_from_its_package()
    {
        using var server = Start(
            ("ASPNETCORE_ENVIRONMENT", "Development"), ("Realtime__SingleNode", "true"), ("Realtime__TopicTypes__room__Durability", "Recoverable"));
        var address = await ReadAddressAsync(server);
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(address) };
            using var token = await http.PostAsJsonAsync("/auth/token", new { user = "ada" }, Topology.Cancelled);
            var bearer = (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString();
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", bearer);

            using var tick = await http.PostAsync("/ticks/1.5", content: null, Topology.Cancelled);
            tick.EnsureSuccessStatusCode();
            var page = await http.GetFromJsonAsync<JsonElement>("/topics/room:ticker/events", Topology.Cancelled);

            var seen = page.GetProperty("events").EnumerateArray().Single();
            Assert.Equal(("app:tick", 1), (seen.GetProperty("event").GetString(), seen.GetProperty("offset").GetInt32()));
            Assert.Equal(1.5m, seen.GetProperty("data").GetProperty("payload").GetProperty("price").GetDecimal());
            Assert.Equal(JsonValueKind.Null, seen.GetProperty("data").GetProperty("user_id").ValueKind);
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task What_it_lacks_is_said_at_start_each_with_its_key()
    {
        using var server = Start(("ASPNETCORE_ENVIRONMENT", "Development"));

        var errors = await server.StandardError.ReadToEndAsync(Topology.Cancelled);
        await server.WaitForExitAsync(Topology.Cancelled);

        Assert.NotEqual(0, server.ExitCode);
        Assert.Contains("Realtime:SingleNode: without Redis", errors, StringComparison.Ordinal);
        Assert.Contains("Realtime:TopicTypes:room:Durability: durable topics are kept in Postgres", errors, StringComparison.Ordinal);
    }

    private static async Task<string> ReadAddressAsync(Process server)
    {
        const string Marker = "Listening on ";
        while (await server.StandardOutput.ReadLineAsync(Topology.Cancelled) is { } line)
        {
            if (line.StartsWith(Marker, StringComparison.Ordinal))
                return line[Marker.Length..];
        }

        throw new InvalidOperationException($"The app did not start: {await server.StandardError.ReadToEndAsync(Topology.Cancelled)}");
    }

    private static async Task RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [.. arguments, "-nodereuse:false", "-v:quiet"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(Topology.Cancelled);
        var errors = process.StandardError.ReadToEndAsync(Topology.Cancelled);
        await process.WaitForExitAsync(Topology.Cancelled);
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}: {await output}{await errors}");
    }

    private Process Start(params (string Key, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(_folder, "out", "App.dll"), "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = _folder,
        };
        start.Environment["Realtime__Auth__SigningKey"] = "a-signing-key-of-the-tests-and-of-nobody-else";
        foreach (var (key, value) in settings)
            start.Environment[key] = value;
        return Process.Start(start)!;
    }
}
