using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Aspire.Hosting.Dcp;

/// <summary>Speaks to the orchestrator's Kubernetes-style API, by the address, certificate and token of its kubeconfig.</summary>
internal sealed partial class DcpClient : IDisposable
{
    public const string ApiVersion = "usvc-dev.developer.microsoft.com/v1";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly HttpClient _http;

    private DcpClient(HttpClient http) => _http = http;

    public static DcpClient FromKubeconfig(string text)
    {
        var authority = X509CertificateLoader.LoadCertificate(Convert.FromBase64String(Field(AuthorityField(), text)));
        var handler = new SocketsHttpHandler { PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(5) };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            return certificate is X509Certificate2 server && chain.Build(server);
        };
        return new DcpClient(new HttpClient(handler)
        {
            BaseAddress = new Uri(Field(ServerField(), text)),
            Timeout = Timeout.InfiniteTimeSpan,
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Field(TokenField(), text)) },
        });
    }

    public async Task CreateAsync<TSpec, TStatus>(string kind, DcpObject<TSpec, TStatus> item, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync(Address(kind), item, Json, cancellationToken);
        await ThrowIfFailedAsync(response, cancellationToken);
    }

    public async Task<DcpObject<TSpec, TStatus>?> GetAsync<TSpec, TStatus>(string kind, string name, CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(Address(kind, name), cancellationToken);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return null;
        await ThrowIfFailedAsync(response, cancellationToken);
        return await response.Content.ReadFromJsonAsync<DcpObject<TSpec, TStatus>>(Json, cancellationToken);
    }

    /// <summary>Asks a process to end: SIGTERM, and SIGKILL when it does not.</summary>
    public Task StopExecutableAsync(string name, CancellationToken cancellationToken) =>
        PatchAsync(Address("executables", name), """{"spec":{"stop":true}}""", cancellationToken);

    public async Task DeleteAsync(string kind, string name, CancellationToken cancellationToken)
    {
        using var response = await _http.DeleteAsync(Address(kind, name), cancellationToken);
        if (response.StatusCode != HttpStatusCode.NotFound)
            await ThrowIfFailedAsync(response, cancellationToken);
    }

    /// <summary>Ends the orchestrator with everything that it started.</summary>
    public Task StopServerAsync(CancellationToken cancellationToken) =>
        PatchAsync("/admin/execution", """{"status":"Stopping","shutdownResourceCleanup":"Full"}""", cancellationToken);

    /// <summary>All objects of a kind as they are, then each change, until the server ends the watch.</summary>
    public async IAsyncEnumerable<DcpWatchEvent<DcpObject<TSpec, TStatus>>> WatchAsync<TSpec, TStatus>(string kind, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in LinesAsync(Address(kind) + "?watch=true", cancellationToken))
        {
            if (JsonSerializer.Deserialize<DcpWatchEvent<DcpObject<TSpec, TStatus>>>(line, Json) is { Object.Metadata: not null } change)
                yield return change;
        }
    }

    /// <summary>What a process writes, each line behind its time, until the process is deleted.</summary>
    public IAsyncEnumerable<string> LogAsync(string executable, string source, CancellationToken cancellationToken) =>
        LinesAsync(Address("executables", executable) + $"/log?source={source}&follow=true&timestamps=true", cancellationToken);

    public void Dispose() => _http.Dispose();

    private static string Address(string kind, string? name = null) => $"/apis/{ApiVersion}/{kind}{(name is null ? "" : "/" + name)}";

    private static string Field(Regex field, string text) => field.Match(text) is { Success: true } match
        ? match.Groups[1].Value
        : throw new DistributedApplicationException("The orchestrator's kubeconfig lacks a server, a certificate or a token.");

    private async Task PatchAsync(string address, string patch, CancellationToken cancellationToken)
    {
        using var content = new StringContent(patch, new MediaTypeHeaderValue("application/merge-patch+json"));
        using var response = await _http.PatchAsync(address, content, cancellationToken);
        await ThrowIfFailedAsync(response, cancellationToken);
    }

    private async IAsyncEnumerable<string> LinesAsync(string address, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await _http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await ThrowIfFailedAsync(response, cancellationToken);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var reader = new StreamReader(stream);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
            yield return line;
    }

    private static async Task ThrowIfFailedAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new HttpRequestException($"The orchestrator answered {(int)response.StatusCode}: {body}", null, response.StatusCode);
        }
    }

    [GeneratedRegex(@"certificate-authority-data:\s*(\S+)", RegexOptions.None, 1000)]
    private static partial Regex AuthorityField();

    [GeneratedRegex(@"server:\s*(\S+)", RegexOptions.None, 1000)]
    private static partial Regex ServerField();

    [GeneratedRegex(@"token:\s*(\S+)", RegexOptions.None, 1000)]
    private static partial Regex TokenField();
}
