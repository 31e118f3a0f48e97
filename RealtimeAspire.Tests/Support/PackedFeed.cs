using System.Text.RegularExpressions;

namespace RealtimeAspire.Tests.Support;

/// <summary>What <c>dotnet pack</c> makes of this repository, as a source of packages, and projects of somebody else that install from it.</summary>
public sealed partial class PackedFeed : IAsyncLifetime
{
    // In the partial feed the packages ask for these by the names and versions of the real ones.
    private static readonly string[] StandIns = Repository.PackageFeed == "partial"
        ? ["Microsoft.AspNetCore.SignalR.Client", "Microsoft.AspNetCore.SignalR.Protocols.MessagePack"]
        : [];

    private string _config = "";

    public string Folder { get; } = Directory.CreateTempSubdirectory("realtime-packages-").FullName;

    /// <summary>The packages that were made, without those of the stand-ins.</summary>
    public IReadOnlyList<string> Packed { get; private set; } = [];

    private string Packages => Path.Combine(Folder, "packages");

    public async ValueTask InitializeAsync()
    {
        await PackAsync("RealtimeAspire.sln");
        Packed = Directory.GetFiles(Packages);
        foreach (var standIn in StandIns)
        {
            await PackAsync($"standins/{standIn}", "-p:IsPackable=true");
        }

        _config = ToConfig(Packages, await SourcesAsync(Folder));
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>Makes a project that takes one of the packages, and builds it; once, whoever asks.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="sdk">What kind of project.</param>
    /// <param name="package">The one package that it references.</param>
    /// <param name="program">Its one file.</param>
    /// <returns>What <c>dotnet</c> runs.</returns>
    public async Task<string> BuildAppAsync(string name, string sdk, string package, string program)
    {
        var (folder, output) = (Path.Combine(Folder, name), Path.Combine(Folder, name, "out"));
        if (!Directory.Exists(output))
        {
            Directory.CreateDirectory(folder);
            await File.WriteAllTextAsync(Path.Combine(folder, "nuget.config"), _config, Topology.Cancelled);
            await File.WriteAllTextAsync(Path.Combine(folder, "App.csproj"), ToProject(sdk, package), Topology.Cancelled);
            await File.WriteAllTextAsync(Path.Combine(folder, "Program.cs"), program, Topology.Cancelled);
            await Run.InAsync(folder, "dotnet", "build", "-o", output, "-nodereuse:false", "-v:quiet");
        }

        return Path.Combine(output, "App.dll");
    }

    private async Task PackAsync(string project, params string[] properties) => await Run.InAsync(
        Repository.Root,
        "dotnet",
        ["pack", project, "-o", Packages, "-nodereuse:false", "-v:quiet", "-p:RunAnalyzers=false", $"-p:PackageFeed={Repository.PackageFeed}", $"-p:ArtifactsPath={Path.Combine(Folder, "build")}", .. properties]);

    private static async Task<IReadOnlyList<string>> SourcesAsync(string folder)
    {
        var listed = await Run.InAsync(folder, "dotnet", "nuget", "list", "source");
        return [.. Source().Matches(listed).Select(source => source.Groups["name"].Value)];
    }

    /// <summary>
    /// The user's sources and this one, each for packages of its own: the public one may have what a stand-in stands in for. The
    /// packages go into a folder of their own: in the user's, this version might be an older build.
    /// </summary>
    private static string ToConfig(string packages, IReadOnlyList<string> sources) => $"""
        <configuration>
          <config>
            <add key="globalPackagesFolder" value="../restored" />
          </config>
          <packageSources>
            <add key="packed" value="{packages}" />
          </packageSources>
          <packageSourceMapping>
            <packageSource key="packed">
              {string.Concat(StandIns.Append("RealtimeAspire.*").Select(package => $"""<package pattern="{package}" />"""))}
            </packageSource>
            {string.Concat(sources.Select(source => $"""<packageSource key="{source}"><package pattern="*" /></packageSource>"""))}
          </packageSourceMapping>
        </configuration>
        """;

    private static string ToProject(string sdk, string package) => $"""
        <Project Sdk="{sdk}">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="{package}" Version="0.1.0" />
          </ItemGroup>
        </Project>
        """;

    [GeneratedRegex(@"^\s*\d+\.\s+(?<name>.+?) \[Enabled\]", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Source();
}
