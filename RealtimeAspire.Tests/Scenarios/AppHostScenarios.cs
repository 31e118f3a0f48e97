using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>The app host as a process of its own, as a developer runs it. Every process below it carries a mark in its environment.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed partial class AppHostScenarios
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Data_survives_a_stop_and_no_process_does_not_even_after_a_kill()
    {
        var volumes = Directory.CreateTempSubdirectory("realtime-volumes-");
        File.SetUnixFileMode(volumes.FullName, (UnixFileMode)0b111_101_101);
        try
        {
            await using (var first = Run(volumes.FullName))
            {
                await PublishAsync(await first.ApiAsync(StartLimit), "kept over runs");
                first.Terminate();
                Assert.Equal(0, await first.ExitCodeAsync());
                await Eventually.BecomesTrueAsync(() => first.Marked().Count == 0, "a stopped app host left processes behind", TimeSpan.FromSeconds(10));
            }

            await using (var second = Run(volumes.FullName))
            {
                Assert.Equal("kept over runs", await LastMessageAsync(await second.ApiAsync(StartLimit)));
                Assert.True(second.Marked().Count > 5);
                second.Process.Kill();
                await Eventually.BecomesTrueAsync(() => second.MarkedBesideTheOrchestrator().Count == 0, "a killed app host left processes behind", TimeSpan.FromSeconds(5));
                // Which then looks for containers and networks of its own.
                await Eventually.BecomesTrueAsync(() => second.Marked().Count == 0, "a killed app host left its orchestrator behind", TimeSpan.FromSeconds(10));
            }
        }
        finally
        {
            volumes.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("Web")]
    [InlineData("Api")]
    [InlineData("Dashboard")]
    public async Task A_port_that_is_taken_gives_one_line_that_names_it_and_the_setting(string name)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        await using var host = Run(volumes: null, $"--Ports:{name}={port}");
        Assert.NotEqual(0, await host.ExitCodeAsync());
        var line = Assert.Single(host.Output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains($"Port {port}", line, StringComparison.Ordinal);
        Assert.Contains($"--Ports:{name}=", line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("70000")]
    [InlineData("http")]
    public async Task A_port_that_is_none_is_refused(string port)
    {
        await using var host = Run(volumes: null, $"--Ports:Web={port}");
        Assert.NotEqual(0, await host.ExitCodeAsync());
        Assert.Contains($"Ports:Web is '{port}'", Assert.Single(host.Output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outside_development_nobody_is_made_to_speak()
    {
        await using var host = Run(volumes: null, "--seed", "--environment=Production");
        Assert.NotEqual(0, await host.ExitCodeAsync());
        Assert.StartsWith("--seed is for development", Assert.Single(host.Output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_names_the_settings()
    {
        await using var host = Run(volumes: null, "--help");
        Assert.Equal(0, await host.ExitCodeAsync());
        Assert.Contains("--Ports:Web=5100", host.Output.ToString(), StringComparison.Ordinal);
    }

    private static async Task PublishAsync(Uri api, string text)
    {
        using var http = await SignInAsync(api);
        using var response = await http.PostAsJsonAsync("/topics/room%3Akept/events", new { @event = "chat:message", payload = new { text } }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
    }

    private static async Task<string?> LastMessageAsync(Uri api)
    {
        using var http = await SignInAsync(api);
        var history = await http.GetFromJsonAsync<JsonElement>("/topics/room%3Akept/events", Topology.Cancelled);
        return history.GetProperty("events").EnumerateArray().Last().GetProperty("data").GetProperty("payload").GetProperty("text").GetString();
    }

    private static async Task<HttpClient> SignInAsync(Uri api)
    {
        var http = new HttpClient { BaseAddress = api };
        using var reply = await http.PostAsJsonAsync("/auth/token", new { user = "ada" }, Topology.Cancelled);
        var token = (await reply.Content.ReadFromJsonAsync<JsonElement>(Topology.Cancelled)).GetProperty("access_token").GetString();
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        return http;
    }

    private static RunningAppHost Run(string? volumes, params string[] args) => new(volumes, args);

    private sealed partial class RunningAppHost : IAsyncDisposable
    {
        private readonly string _mark = Guid.NewGuid().ToString("n");

        public RunningAppHost(string? volumes, string[] args)
        {
            // Settings of the test come last, so that they win.
            var start = new ProcessStartInfo("dotnet",
            [
                typeof(Projects.RealtimeAspire_AppHost).Assembly.Location, "--Ports:Web=0", "--Ports:Api=0", "--Ports:Dashboard=0",
                "--Parameters:redis-password=redis-secret", "--Parameters:postgres-password=postgres-secret",
                "--Parameters:signing-key=a-signing-key-of-the-tests-and-of-nobody-else", "--Parameters:audit-key=an-audit-key-of-the-tests-and-of-nobody-else", .. args,
            ])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["DOTNET_ENVIRONMENT"] = "Development", ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true", ["REALTIME_TEST_MARK"] = _mark, ["ASPIRE_STANDINS_VOLUMES"] = volumes },
            };
            Process = new Process { StartInfo = start };
            Process.OutputDataReceived += Write;
            Process.ErrorDataReceived += Write;
            Process.Start();
            Process.BeginOutputReadLine();
            Process.BeginErrorReadLine();
        }

        public Process Process { get; }

        public StringBuilder Output { get; } = new();

        /// <summary>The API's address from the table that the app host prints once everything is healthy.</summary>
        public async Task<Uri> ApiAsync(TimeSpan limit)
        {
            await Eventually.BecomesTrueAsync(() => Process.HasExited || Text().Contains("Ctrl+C stops everything", StringComparison.Ordinal), "the app host has not become healthy:\n" + Text(), limit);
            return new Uri(ApiLine().Match(Text()) is { Success: true } match ? match.Groups[1].Value : throw new InvalidOperationException(Text()));
        }

        public void Terminate()
        {
            using var kill = Process.Start("kill", ["-TERM", $"{Process.Id}"]);
            kill.WaitForExit();
        }

        public async Task<int> ExitCodeAsync()
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Topology.Cancelled);
            limit.CancelAfter(TimeSpan.FromSeconds(60));
            await Process.WaitForExitAsync(limit.Token);
            return Process.ExitCode;
        }

        /// <summary>The living processes that descend from this app host, found by what they inherited.</summary>
        public IReadOnlyList<int> Marked() =>
        [
            .. Directory.GetDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var pid) ? pid : 0).Where(pid => pid > 0 && pid != Environment.ProcessId && HasMark(pid)),
        ];

        /// <inheritdoc cref="Marked"/>
        public IReadOnlyList<int> MarkedBesideTheOrchestrator() => [.. Marked().Where(pid => !IsOrchestrator(pid))];

        public async ValueTask DisposeAsync()
        {
            if (!Process.HasExited)
            {
                Process.Kill();
                await Process.WaitForExitAsync();
            }

            Process.Dispose();
        }

        private bool HasMark(int pid)
        {
            try
            {
                return File.ReadAllText($"/proc/{pid}/environ").Contains(_mark, StringComparison.Ordinal);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }

        private static bool IsOrchestrator(int pid)
        {
            try
            {
                return File.ReadAllText($"/proc/{pid}/cmdline").Split('\0')[0] is var program && Path.GetFileName(program) is "dcp" or "docker";
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                return true;
            }
        }

        private string Text()
        {
            lock (Output)
                return Output.ToString();
        }

        private void Write(object sender, DataReceivedEventArgs line)
        {
            lock (Output)
                Output.AppendLine(line.Data);
        }

        [GeneratedRegex(@"^\s+api\s+(http\S+)", RegexOptions.Multiline, 1000)]
        private static partial Regex ApiLine();
    }
}
