using System.Diagnostics;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Somebody else takes the packages into empty projects: the clients with the lines of their READMEs, and the server, alone and without any store.</summary>
[Collection(SharedTopology.Name)]
public sealed class PackageScenarios(PackedFeed feed, Topology topology) : IClassFixture<PackedFeed>
{
    /// <summary>What the lines of the TypeScript README take for granted.</summary>
    private const string Given = """
        declare const url: string;
        declare const token: () => Promise<string>;
        declare function fetchToken(): Promise<string>;
        """;

    [Fact]
    public void Three_packages_are_packed_each_with_what_an_editor_and_a_debugger_want()
    {
        Assert.Equal(
            ["RealtimeAspire.Client.0.1.0", "RealtimeAspire.Protocol.0.1.0", "RealtimeAspire.Server.0.1.0"],
            feed.Packed.Select(Path.GetFileNameWithoutExtension).Distinct().Order(StringComparer.Ordinal));
        foreach (var package in feed.Packed.Where(file => file.EndsWith(".nupkg", StringComparison.Ordinal)))
        {
            var name = Path.GetFileName(package)[..^".0.1.0.nupkg".Length];
            using var zip = ZipFile.OpenRead(package);
            Assert.Subset(zip.Entries.Select(entry => entry.FullName).ToHashSet(StringComparer.Ordinal), new HashSet<string>([$"lib/net10.0/{name}.dll", $"lib/net10.0/{name}.xml", "README.md"], StringComparer.Ordinal));
            using var symbols = ZipFile.OpenRead(Path.ChangeExtension(package, ".snupkg"));
            Assert.NotNull(symbols.GetEntry($"lib/net10.0/{name}.pdb"));
            var said = Metadata(zip, name);
            Assert.All(["license", "description", "readme", "tags"], element => Assert.NotEmpty(said.Element(said.Name.Namespace + element)!.Value));
        }
    }

    [Fact]
    public void The_client_depends_on_the_real_SignalR_client()
    {
        using var zip = ZipFile.OpenRead(feed.Packed.Single(file => Path.GetFileName(file) == "RealtimeAspire.Client.0.1.0.nupkg"));
        var versions = XDocument.Load(Repository.PathOf("Directory.Packages.props"));

        var dependencies = Metadata(zip, "RealtimeAspire.Client").Descendants().Where(element => element.Name.LocalName == "dependency")
            .ToDictionary(element => element.Attribute("id")!.Value, element => element.Attribute("version")!.Value, StringComparer.Ordinal);

        Assert.Equal("0.1.0", dependencies["RealtimeAspire.Protocol"]);
        Assert.Equal(versions.Descendants("AspNetCoreVersion").Single().Value, dependencies["Microsoft.AspNetCore.SignalR.Client"]);
    }

    [Theory]
    [InlineData("README.md")]
    [InlineData("RealtimeAspire.Client/README.md")]
    public async Task The_five_lines_of_a_NET_readme_work_in_an_empty_project(string readme)
    {
        var text = $"from {readme}";
        var program = $$"""
            using RealtimeAspire.Client;

            {{Here((await Repository.SnippetsAsync(readme, "csharp"))[0], text)}}

            Task<string?> GetTokenAsync(string user) => Task.FromResult(Environment.GetEnvironmentVariable($"TOKEN_OF_{user}"));
            Task<string?> FetchTokenAsync() => GetTokenAsync("ada");
            """;
        var app = await feed.BuildAppAsync(readme.Contains('/', StringComparison.Ordinal) ? "client" : "first", "Microsoft.NET.Sdk", "RealtimeAspire.Client", program);

        await PrintsAsync(text, "dotnet", app);
    }

    [Fact]
    public async Task The_lines_of_the_TypeScript_readme_work_in_an_empty_project_and_know_the_servers_events()
    {
        var client = Repository.PathOf("clients/typescript");
        var project = Directory.CreateDirectory(Path.Combine(feed.Folder, "typescript")).FullName;
        var packed = JsonNode.Parse(await Run.InAsync(client, "npm", "pack", "--json", "--loglevel=error", "--pack-destination", project))![0]!;
        await File.WriteAllTextAsync(Path.Combine(project, "package.json"), """{ "name": "somebody-elses", "private": true, "type": "module" }""", Topology.Cancelled);
        await Run.InAsync(project, "npm", "install", $"./{packed["filename"]}", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error");

        // What is in it: nothing of ours alone, and maps that bring their sources.
        var files = packed["files"]!.AsArray().Select(file => (string)file!["path"]!).ToList();
        Assert.Subset(files.ToHashSet(StringComparer.Ordinal), new HashSet<string>(["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "dist/realtime-types.js"], StringComparer.Ordinal));
        Assert.All(files, file => Assert.Matches(@"^(LICENSE|README\.md|package\.json|dist/[\w/-]+\.(js|d\.ts|js\.map))$", file));
        var installed = Path.Combine(project, "node_modules", "@realtimeaspire", "client");
        Assert.All(files.Where(file => file.EndsWith(".map", StringComparison.Ordinal)), file => Assert.NotNull(JsonNode.Parse(File.ReadAllText(Path.Combine(installed, file)))!["sourcesContent"]));

        Assert.Equal(await File.ReadAllTextAsync(Repository.PathOf("LICENSE"), Topology.Cancelled), await File.ReadAllTextAsync(Path.Combine(installed, "LICENSE"), Topology.Cancelled));

        // The types of the server's events, and what the compiler says of the lines that use them.
        await Run.InAsync(project, "npx", "--no-install", "realtime-types", topology.Api.ToString(), "--out", "events.ts");
        var blocks = await Repository.SnippetsAsync("clients/typescript/README.md", "ts");
        var typed = blocks.Single(block => block.Contains("./events.js", StringComparison.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(project, "given.d.ts"), Given, Topology.Cancelled);
        await File.WriteAllTextAsync(Path.Combine(project, "first.ts"), blocks[0], Topology.Cancelled);
        await File.WriteAllTextAsync(Path.Combine(project, "typed.ts"), typed, Topology.Cancelled);
        string[] options = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext"];
        await Run.InAsync(project, "node", [Path.Combine(client, "node_modules/typescript/bin/tsc"), .. options, "given.d.ts", "first.ts", "typed.ts"]);

        var lines = Here(blocks[0], "from npm");
        await File.WriteAllTextAsync(Path.Combine(project, "lines.js"), $"const fetchToken = async () => process.env.TOKEN_OF_ada;\n{lines}", Topology.Cancelled);
        await PrintsAsync("from npm", "node", Path.Combine(project, "lines.js"));
    }

    [Fact]
    public async Task An_app_of_somebody_elses_hosts_the_server_from_its_package()
    {
        using var server = await StartServerAsync(
            ("ASPNETCORE_ENVIRONMENT", "Development"), ("Realtime__SingleNode", "true"), ("Realtime__TopicTypes__room__Durability", "Recoverable"));
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri(await ReadUntilAsync(server, "Now listening on: ")) };
            using var token = await http.PostAsJsonAsync("/auth/token", new { user = "ada" }, Topology.Cancelled);
            var bearer = (await token.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString();
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", bearer);

            using var tick = await http.PostAsync("/ticks/1.5", content: null, Topology.Cancelled);
            tick.EnsureSuccessStatusCode();
            using var wrong = await http.PostAsJsonAsync("/topics/room:ticker/events", new { @event = "app:tick", payload = new { price = -1 } }, Topology.Cancelled);
            var page = await http.GetFromJsonAsync<JsonElement>("/topics/room:ticker/events", Topology.Cancelled);

            var seen = page.GetProperty("events").EnumerateArray().Single();
            Assert.Equal(("app:tick", 1), (seen.GetProperty("event").GetString(), seen.GetProperty("offset").GetInt32()));
            Assert.Equal(1.5m, seen.GetProperty("data").GetProperty("payload").GetProperty("price").GetDecimal());
            Assert.Equal(JsonValueKind.Null, seen.GetProperty("data").GetProperty("user_id").ValueKind);
            Assert.Contains("price is 0 to 1000000.", await wrong.Content.ReadAsStringAsync(Topology.Cancelled), StringComparison.Ordinal);
        }
        finally
        {
            await EndAsync(server);
        }
    }

    [Fact]
    public async Task What_it_lacks_is_said_at_start_each_with_its_key()
    {
        using var server = await StartServerAsync(("ASPNETCORE_ENVIRONMENT", "Development"));

        var errors = await server.StandardError.ReadToEndAsync(Topology.Cancelled);
        await server.WaitForExitAsync(Topology.Cancelled);

        Assert.NotEqual(0, server.ExitCode);
        Assert.Contains("Realtime:SingleNode: without Redis", errors, StringComparison.Ordinal);
        Assert.Contains("Realtime:TopicTypes:room:Durability: durable topics are kept in Postgres", errors, StringComparison.Ordinal);
    }

    private static XElement Metadata(ZipArchive package, string name)
    {
        using var nuspec = package.GetEntry($"{name}.nuspec")!.Open();
        return XDocument.Load(nuspec).Root!.Elements().Single(element => element.Name.LocalName == "metadata");
    }

    /// <summary>A README's lines at this topology's address, with a text that nobody else publishes.</summary>
    private string Here(string lines, string text)
    {
        Assert.Contains("http://localhost:5200", lines, StringComparison.Ordinal);
        Assert.Contains("\"hi\"", lines, StringComparison.Ordinal);
        return lines.Replace("http://localhost:5200", topology.Api.ToString(), StringComparison.Ordinal).Replace("\"hi\"", $"\"{text}\"", StringComparison.Ordinal);
    }

    /// <summary>Such lines read for ever, so it is ended where it has printed what it should.</summary>
    private async Task PrintsAsync(string text, string program, params string[] arguments)
    {
        using var process = Start(program, arguments, ("TOKEN_OF_ada", await topology.TokenAsync("ada")));
        try
        {
            await ReadUntilAsync(process, text);
        }
        finally
        {
            await EndAsync(process);
        }
    }

    private async Task<Process> StartServerAsync(params (string Key, string Value)[] settings)
    {
        var program = (await Repository.SnippetsAsync("RealtimeAspire.Server/README.md", "csharp"))[0];
        var app = await feed.BuildAppAsync("server", "Microsoft.NET.Sdk.Web", "RealtimeAspire.Server", program);
        return Start("dotnet", [app, "--urls", "http://127.0.0.1:0"], [("Realtime__Auth__SigningKey", "a-signing-key-of-the-tests-and-of-nobody-else"), .. settings]);
    }

    private Process Start(string program, string[] arguments, params (string Key, string Value)[] settings)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = feed.Folder };
        foreach (var (key, value) in settings)
        {
            start.Environment[key] = value;
        }

        return Process.Start(start)!;
    }

    /// <returns>What stands behind the words, in the line that has them.</returns>
    private static async Task<string> ReadUntilAsync(Process process, string words)
    {
        var printed = new List<string>();
        while (await process.StandardOutput.ReadLineAsync(Topology.Cancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(60), TimeProvider.System, Topology.Cancelled) is { } line)
        {
            var at = line.IndexOf(words, StringComparison.Ordinal);
            if (at >= 0)
            {
                return line[(at + words.Length)..];
            }

            printed.Add(line);
        }

        throw new InvalidOperationException($"It ended without “{words}”: {string.Join('\n', printed)} {await process.StandardError.ReadToEndAsync(Topology.Cancelled)}");
    }

    private static async Task EndAsync(Process process)
    {
        process.Kill();
        await process.WaitForExitAsync(CancellationToken.None);
    }
}
