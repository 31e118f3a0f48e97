using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Compatibility;

/// <summary>One case of the suite as it went: <paramref name="Seen"/> is what has to be the same on every server.</summary>
internal sealed record CaseResult(string Name, bool Passed, string? Error, JsonElement Seen);

/// <summary>A client and a server that the suite brings together.</summary>
internal sealed record Pairing(string Protocol, bool Negotiates, SocketMode Sockets)
{
    public string Name => $"{Protocol}-{(Negotiates ? "negotiated" : "direct")}-{Sockets}";
}

/// <summary>
/// The suite, run once in Node and once in Chromium against all servers: two nodes of each kind of ours, of which one answers all
/// negotiations and the other has all sockets, and one of the standard kind, which takes its own negotiations only.
/// </summary>
public sealed class CompatibilityRun : IAsyncLifetime
{
    private static readonly string[] Protocols = ["json", "messagepack"];
    private static readonly string Folder = Repository.PathOf("RealtimeAspire.Tests/Compatibility");

    private readonly Browser _browser = new();
    private readonly List<CompatibilityNode> _nodes = [];
    private readonly Dictionary<SocketMode, (Uri Sockets, Uri Negotiations)> _addresses = [];
    private readonly List<TcpProxy> _proxies = [];
    private WebApplication? _page;
    private Task<Dictionary<string, CaseResult[]>>? _node;
    private Task<Dictionary<string, CaseResult[]>>? _chromium;

    internal static IEnumerable<Pairing> Pairings =>
        from protocol in Protocols
        from negotiates in (bool[])[true, false]
        from sockets in Enum.GetValues<SocketMode>()
        select new Pairing(protocol, negotiates, sockets);

    /// <summary>The nodes that answer negotiations, and those that have the sockets of these clients.</summary>
    internal (IReadOnlyList<CompatibilityNode> Negotiating, IReadOnlyList<CompatibilityNode> Carrying) Split { get; private set; }

    /// <summary>As the suite takes them.</summary>
    private object Configurations => Pairings.Select(pairing => new
    {
        name = pairing.Name,
        url = (pairing.Negotiates ? _addresses[pairing.Sockets].Negotiations : _addresses[pairing.Sockets].Sockets).ToString().TrimEnd('/'),
        token = TestServer.Token(),
        protocol = pairing.Protocol,
        skipNegotiation = !pairing.Negotiates,
    }).ToArray();

    public async ValueTask InitializeAsync()
    {
        _page = await ServePageAsync();
        var page = new Uri(_page.Urls.First());
        var (negotiating, carrying) = (new List<CompatibilityNode>(), new List<CompatibilityNode>());
        foreach (var sockets in Enum.GetValues<SocketMode>())
        {
            var carrier = await StartAsync(sockets, page);
            _addresses[sockets] = (carrier.Server.Address, carrier.Server.Address);
            if (sockets is not SocketMode.Standard)
            {
                var negotiator = await StartAsync(sockets, page);
                var proxy = TcpProxy.StartSplit(carrier.Server.Address.Port, negotiator.Server.Address.Port);
                _proxies.Add(proxy);
                _addresses[sockets] = (carrier.Server.Address, new Uri($"http://127.0.0.1:{proxy.Port}"));
                negotiating.Add(negotiator);
                carrying.Add(carrier);
            }
        }

        Split = (negotiating, carrying);
        await _browser.InitializeAsync();
        _node = RunNodeAsync();
        _chromium = RunChromiumAsync(page);
    }

    /// <summary>How the cases went with a client, when all have.</summary>
    internal async Task<CaseResult[]> ResultsAsync(string client, Pairing pairing) =>
        (await (client == "node" ? _node! : _chromium!).WaitAsync(TestContext.Current.CancellationToken))[pairing.Name];

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_node ?? Task.CompletedTask, _chromium ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _browser.DisposeAsync();
        foreach (var proxy in _proxies)
        {
            await proxy.DisposeAsync();
        }

        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        if (_page is not null)
        {
            await _page.DisposeAsync();
        }
    }

    private async Task<CompatibilityNode> StartAsync(SocketMode sockets, Uri page)
    {
        var node = await CompatibilityNode.StartAsync(sockets, page);
        _nodes.Add(node);
        return node;
    }

    private async Task<Dictionary<string, CaseResult[]>> RunNodeAsync()
    {
        var start = new ProcessStartInfo("node", [Path.Combine(Folder, "node.js")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        var errors = node.StandardError.ReadToEndAsync();
        await node.StandardInput.WriteAsync(JsonSerializer.Serialize(Configurations));
        node.StandardInput.Close();
        var output = await node.StandardOutput.ReadToEndAsync();
        await node.WaitForExitAsync();
        Assert.True(node.ExitCode == 0, await errors);
        return JsonSerializer.Deserialize<Dictionary<string, CaseResult[]>>(output, JsonSerializerOptions.Web)!;
    }

    private async Task<Dictionary<string, CaseResult[]>> RunChromiumAsync(Uri address)
    {
        var (page, _) = await _browser.OpenAsync();
        await page.GotoAsync(new Uri(address, "browser.html").ToString());
        var results = await page.EvaluateAsync<string>(
            "async configurations => JSON.stringify(await window.run(JSON.parse(configurations)))", JsonSerializer.Serialize(Configurations));
        return JsonSerializer.Deserialize<Dictionary<string, CaseResult[]>>(results, JsonSerializerOptions.Web)!;
    }

    private static async Task<WebApplication> ServePageAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        app.UseStaticFiles(new StaticFileOptions { FileProvider = new PhysicalFileProvider(Folder) });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return app;
    }
}
