using Aspire.Hosting.Tools;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using Xunit;

namespace RealtimeAspire.Tests.Support;

/// <summary>A real headless Chromium: the system's, else Debian's package, fetched once into the user's cache.</summary>
public sealed class Browser : IAsyncLifetime
{
    // For the run that goes wrong: longer than anything lingers that a page shows, on a busy machine.
    private const float WaitMilliseconds = 60_000;

    private readonly List<IBrowser> _plain = [];
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private Func<string[], Task<IBrowser>>? _launch;
    private string? _test;

    public IBrowser Chromium => _browser ?? throw new InvalidOperationException("Chromium has not been started.");

    /// <summary>Where screenshots are kept.</summary>
    public static string Screenshots => Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "screenshots")).FullName;

    public async ValueTask InitializeAsync()
    {
        Assertions.SetDefaultExpectTimeout(WaitMilliseconds);
        var (program, environment) = await LocateAsync();
        _playwright = await Playwright.CreateAsync();
        _launch = more => _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = program,
            Env = environment,
            Args = [.. more, "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
        _browser = await _launch([]);
    }

    public async ValueTask DisposeAsync()
    {
        await ClosePlainAsync();
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
    }

    /// <summary>A page in a profile of its own; what its scripts complain about fails the test that asserts on it.</summary>
    /// <param name="width">Of what is seen.</param>
    /// <param name="height">Of what is seen.</param>
    /// <param name="isFree">The page may connect wherever it likes, for tests that stand between it and the server.</param>
    public async Task<(IPage Page, List<string> Complaints)> OpenAsync(int width = 1280, int height = 800, bool isFree = false)
    {
        await CloseEarlierAsync();
        var context = await Chromium.NewContextAsync(new BrowserNewContextOptions { ViewportSize = new ViewportSize { Width = width, Height = height }, BypassCSP = isFree });
        var page = await context.NewPageAsync();
        var complaints = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                complaints.Add($"{message.Location} {message.Text}");
        };
        page.PageError += (_, error) => complaints.Add(error);
        return (page, complaints);
    }

    /// <summary>
    /// A Chromium of its own, of whose tabs none is pretended to be looked at: one that has the focus, as all others here are told that
    /// they have, cannot be frozen.
    /// </summary>
    public async Task<IBrowserContext> OpenPlainAsync()
    {
        await CloseEarlierAsync();
        var port = FreePort.Next();
        _plain.Add(await _launch!([$"--remote-debugging-port={port}"]));
        var connected = await _playwright!.Chromium.ConnectOverCDPAsync($"http://127.0.0.1:{port}", new BrowserTypeConnectOverCDPOptions { NoDefaults = true });
        _plain.Insert(0, connected);
        return connected.Contexts[0];
    }

    /// <summary>What an earlier test has left open would go on beside this one.</summary>
    private async Task CloseEarlierAsync()
    {
        if (TestContext.Current.Test?.UniqueID is { } test && test != _test)
        {
            _test = test;
            foreach (var context in Chromium.Contexts.ToList())
                await context.CloseAsync();
            await ClosePlainAsync();
        }
    }

    private async Task ClosePlainAsync()
    {
        foreach (var browser in _plain)
            await browser.DisposeAsync();
        _plain.Clear();
    }

    private static async Task<(string Program, Dictionary<string, string>? Environment)> LocateAsync()
    {
        string[] names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
        if (names.Select(name => ToolCache.Find(name, "/usr/bin", "/snap/bin")).FirstOrDefault(path => path is not null) is { } installed)
            return (installed, null);

        var log = LoggerFactory.Create(logging => logging.AddConsole()).CreateLogger("chromium");
        var folder = await ToolCache.GetAsync("chromium", f => DebianPackages.UnpackAsync(["chromium", "fonts-dejavu-core"], f, log, CancellationToken.None));

        // The script of that name looks for its parts in /usr/lib; the program itself finds them beside it.
        var environment = Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "", StringComparer.Ordinal);
        environment["LD_LIBRARY_PATH"] = DebianPackages.LibraryPath(folder);
        environment["FONTCONFIG_PATH"] = Path.Combine(folder, "etc", "fonts");
        environment["XDG_DATA_DIRS"] = Path.Combine(folder, "usr", "share");
        return (Path.Combine(folder, "usr", "lib", "chromium", "chromium"), environment);
    }
}
