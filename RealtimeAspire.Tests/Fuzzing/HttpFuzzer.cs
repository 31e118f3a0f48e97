using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Fuzzing;

/// <summary>Sends a node what no client should send over HTTP, to the addresses of its topics, and looks at each answer.</summary>
internal sealed class HttpFuzzer(FuzzedServer server, FuzzMill mill)
{
    private static readonly string[] Addresses =
    [
        "/topics/{t}/events", "/topics/{t}/events", "/topics/{t}/events", "/topics/{t}/events", "/topics/{t}/calls/{m}", "/topics/poll", "/receipts", "/auth/token",
    ];

    public int Inputs { get; private set; }

    public int Refused { get; private set; }

    public async Task RunAsync(int count)
    {
        using var http = server.Http();
        http.Timeout = TimeSpan.FromSeconds(30);
        while (Inputs < count)
        {
            using var request = mill.Rarely(4) ? Read() : Write();
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
            Inputs++;
            await JudgeAsync(request, response);
        }
    }

    private async Task JudgeAsync(HttpRequestMessage request, HttpResponseMessage response)
    {
        var status = (int)response.StatusCode;
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            // It would go on.
            return;
        }

        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        var what = $"{request.Method} {request.RequestUri}: {status} {text}";
        // Neither an address that is too long nor a path with %00 in it comes past Kestrel, which answers without a body.
        var isKestrels = status == 414 || (status == 400 && request.RequestUri!.OriginalString.Contains("%00", StringComparison.Ordinal));
        if (status < 400 || (text.Length == 0 && (request.Method == HttpMethod.Head || isKestrels)))
        {
            // There is no database behind this node.
            Assert.True(status is < 500 or 503, what);
            return;
        }

        Refused++;
        using var problem = JsonDocument.Parse(text.Length == 0 ? "{}" : text);
        var known = problem.RootElement.TryGetProperty("code", out var code) && ErrorCode.TryFind(code.GetString()!, out var error) ? error : null;
        Assert.True(known is not null && known != ErrorCode.Internal, what);
        // The database is not there, and nobody answers calls.
        Assert.True(status < 500 || known.Retryable, what);
    }

    private HttpRequestMessage Write()
    {
        var address = Fill(mill.Rarely(60) ? "/topics/{t}/cursors/{c}" : mill.One(Addresses));
        var method = address.Contains("/cursors/", StringComparison.Ordinal) ? HttpMethod.Put : mill.Rarely(30) ? HttpMethod.Patch : HttpMethod.Post;
        var body = Encoding.UTF8.GetBytes(Body(address));
        var content = new ByteArrayContent(mill.Rarely(8) ? mill.Mutate(body) : mill.Rarely(40) ? mill.Noise(100) : body);
        content.Headers.TryAddWithoutValidation("Content-Type", mill.Rarely(25)
            ? mill.One("text/plain", "application/json; charset=utf-16", "application/json; charset=x", "application/problem+json", "", "json", "multipart/form-data")
            : "application/json");
        var query = address.Contains("/calls/", StringComparison.Ordinal) ? $"?timeoutMs={mill.One("1", "5", "0", "x", "99999999999", "1e3")}"
            : address.Contains("/poll", StringComparison.Ordinal) ? $"?wait={mill.One("0", "-1", "x", "", "56", "1.5")}" : "";
        var request = new HttpRequestMessage(method, address + query) { Content = content };
        if (mill.Rarely(6))
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", mill.One("k", "", "a b", new string('k', 200), "one"));
        }

        return WithIdentity(request);
    }

    private string Body(string address) => address switch
    {
        "/auth/token" => mill.One("{\"user\":\"ada\"}", "{\"user\":\"\"}", "{\"user\":7}", "{}", "null", "{\"user\":\"a b\"}", "{\"user\":\"\\u0000\"}", mill.Junk()),
        "/receipts" => mill.Argument("Receipts"),
        "/topics/poll" => mill.Argument("SubscribeMany"),
        _ when address.Contains("/cursors/", StringComparison.Ordinal) => mill.Rarely(50) ? "{\"position\":{\"epoch\":\"\",\"offset\":0}}" : mill.One("{\"position\":7}", "{\"position\":{\"epoch\":7}}", "{}", mill.Junk()),
        _ when address.Contains("/calls/", StringComparison.Ordinal) => mill.Payload(),
        _ => mill.Rarely(5) ? mill.Several(mill.Publish) : mill.Publish(),
    };

    private HttpRequestMessage Read()
    {
        var address = mill.One(
            Fill("/topics/{t}/events"), "/topics/events", "/topics/stream", "/topics/events", "/openapi/v1.json", "/asyncapi/v3.json", "/nothing", Fill("/topics/{t}"), "/realtime", "/realtime/negotiate");
        var query = address.StartsWith("/topics/", StringComparison.Ordinal)
            ? string.Join('&', Enumerable.Range(0, mill.Rarely(30) ? 60 : mill.Next(6)).Select(_ => mill.One(
                $"topic={Part("{t}")}", $"after={Value()}", $"before={Value()}", $"limit={Value()}", $"rewind={Value()}", $"wait={mill.One("0", "-1", "x", "", "56")}", $"lastEventId={Value()}", $"{Value()}={Value()}")))
            : "";
        var request = new HttpRequestMessage(mill.Rarely(10) ? HttpMethod.Head : mill.Rarely(30) ? HttpMethod.Options : HttpMethod.Get, query.Length == 0 ? address : $"{address}?{query}");
        if (mill.Rarely(8))
        {
            request.Headers.TryAddWithoutValidation(mill.One("If-None-Match", "Last-Event-ID", "traceparent", "Origin"), mill.One("\"x\"", "*", "0=x7Qa:17", "0=:0", "x", "http://example.test", ","));
        }

        return WithIdentity(request);
    }

    private string Value() => Uri.EscapeDataString(mill.One("1", "0", "-1", "1e3", "99999999999999999999", "x7Qa:17", ":0", "x:", ":", "", "a:b:c", "\0", "\ud83d\ude00", "0=x7Qa:17,1=:0", "0=:0,0=:0", "%", new string('9', 5_000)));

    private string Fill(string address) => Part(address.Replace("{m}", mill.One("add", "a%20b", "%00", "..%2f"), StringComparison.Ordinal).Replace("{c}", mill.One("phone-1", "a%20b", "%ff", "%00"), StringComparison.Ordinal));

    private string Part(string address) => address.Replace("{t}", mill.Rarely(5)
        ? mill.One("fuzz:a%20b", "nothing:a", "fuzz:", "%00", "%ff%fe", "a:b:c", "..%2f..", "fuzz%3Aa", "fuzz:" + new string('a', 200), "%F0%9F%98%80")
        : mill.One("fuzz:a", "fuzz:b", "fuzz:c"), StringComparison.Ordinal);

    private HttpRequestMessage WithIdentity(HttpRequestMessage request)
    {
        if (mill.Rarely(30))
        {
            request.Headers.Authorization = mill.One(new AuthenticationHeaderValue("Bearer", "a.b.c"), new AuthenticationHeaderValue("Basic", "YTpi"), new AuthenticationHeaderValue("Bearer"));
        }

        return request;
    }
}
