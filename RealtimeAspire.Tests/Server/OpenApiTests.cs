using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

/// <summary>The document that the server gives of its own HTTP API.</summary>
public sealed partial class OpenApiTests : IAsyncLifetime
{
    private TestServer _server = null!;
    private HttpClient _http = null!;
    private OpenApiDocument _document = null!;
    private string _json = "";

    public async ValueTask InitializeAsync()
    {
        _server = await TestServer.StartAsync();
        _http = _server.Http();
        using var anonymous = new HttpClient { BaseAddress = _server.Address };
        _json = await anonymous.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken);
        var read = OpenApiDocument.Parse(_json, OpenApiConstants.Json);
        Assert.Empty(read.Diagnostic!.Errors);
        Assert.Empty(read.Diagnostic.Warnings);
        Assert.Equal(OpenApiSpecVersion.OpenApi3_1, read.Diagnostic.SpecificationVersion);
        _document = read.Document!;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("/topics/{topic}/events", "post", "topic Idempotency-Key", "200 201 207 400 401 403 404 409 413 415 429 503")]
    [InlineData("/topics/{topic}/events", "get", "topic after before limit wait If-None-Match", "200 304 400 401 403 404 429 503")]
    [InlineData("/topics/{topic}/events", "head", "topic after before limit wait If-None-Match", "200 304 400 401 403 404 429 503")]
    [InlineData("/topics/events", "get", "topic after wait", "200 400 401 403 404 429 503")]
    [InlineData("/topics/events", "head", "topic after wait", "200 400 401 403 404 429 503")]
    [InlineData("/topics/poll", "post", "wait", "207 400 401 403 413 415 429 503")]
    [InlineData("/topics/{topic}/cursors/{consumer}", "put", "topic consumer", "204 400 401 403 404 413 415 429 503")]
    [InlineData("/topics/stream", "get", "topic after rewind presence Last-Event-ID lastEventId", "200 400 401 403 404 429 503")]
    [InlineData("/topics/stream", "head", "topic after rewind presence Last-Event-ID lastEventId", "200 400 401 403 404 429 503")]
    [InlineData("/signing-keys", "post", "", "200 201 400 401 403 409 413 415 429 503")]
    [InlineData("/signing-keys", "get", "user", "200 400 401 403 429 503")]
    [InlineData("/signing-keys/{keyId}", "get", "keyId", "200 401 403 404 429 503")]
    [InlineData("/signing-keys/{keyId}", "delete", "keyId", "204 401 403 404 429 503")]
    [InlineData("/rooms", "get", "", "200 401 403 429 503")]
    [InlineData("/topics/{topic}/presence", "get", "topic after limit", "200 400 401 403 404 429 503")]
    [InlineData("/presence", "put", "", "204 400 401 403 413 415 429 503")]
    [InlineData("/users/{user}/presence", "get", "user", "200 400 401 403 404 429 503")]
    public void Each_operation_is_there_with_its_parameters_and_answers(string path, string method, string parameters, string statuses)
    {
        var operation = OperationOf(method, path);

        Assert.Equal(parameters.Split(' ', StringSplitOptions.RemoveEmptyEntries), (operation.Parameters ?? []).Select(parameter => parameter.Name));
        Assert.Equal(statuses.Split(' '), operation.Responses!.Keys.Order(StringComparer.Ordinal));
        Assert.NotEmpty(operation.Security!);
        Assert.NotEmpty(operation.Summary!);
    }

    [Fact]
    public void Who_asks_for_a_token_needs_none()
    {
        var operation = OperationOf("post", "/auth/token");

        Assert.Null(operation.Security);
        Assert.Equal(["200", "400", "401", "403", "404", "413", "415", "429", "503"], operation.Responses!.Keys.Order(StringComparer.Ordinal));
        Assert.NotNull(operation.RequestBody);
    }

    [Fact]
    public void No_operation_is_left_out() => Assert.Equal(
        [
            "/audit", "/auth/accounts/{user}", "/auth/refresh", "/auth/revoke", "/auth/token", "/connections", "/connections/{connection}", "/events",
            "/keys", "/keys/{id}", "/keys/{id}/rotation", "/presence", "/receipts", "/rooms", "/signals", "/signals/actions", "/signals/actions/{id}",
            "/signing-keys", "/signing-keys/{keyId}", "/tenants", "/tenants/{tenant}", "/tenants/{tenant}/export", "/topics", "/topics/events",
            "/topics/poll", "/topics/stream", "/topics/{topic}",
            "/topics/{topic}/calls/{method}", "/topics/{topic}/cursors/{consumer}", "/topics/{topic}/events", "/topics/{topic}/members",
            "/topics/{topic}/members/{user}", "/topics/{topic}/presence", "/topics/{topic}/privacy", "/topics/{topic}/subscribers", "/users/{user}/connections",
            "/users/{user}/presence", "/users/{user}/subscriptions", "/users/{user}/subscriptions/{topic}",
        ],
        _document.Paths.Keys.Order(StringComparer.Ordinal));

    /// <summary>What the server really answers stands in the document.</summary>
    [Theory]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """{"event":"app:x","payload":1}""")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """[{"event":"app:x","payload":1}]""")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", "[]")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", "{")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """{"event":"7","payload":1}""")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """{"event":"app:x"}""")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """{"event":"app:x","payload":1,"id":""}""")]
    [InlineData("POST", "/topics/room:a/events", "/topics/{topic}/events", """{"event":"no","payload":1}""")]
    [InlineData("POST", "/topics/thing:a/events", "/topics/{topic}/events", """{"event":"app:x","payload":1}""")]
    [InlineData("POST", "/topics/room/events", "/topics/{topic}/events", """{"event":"app:x","payload":1}""")]
    [InlineData("GET", "/topics/room:a/events", "/topics/{topic}/events", null)]
    [InlineData("GET", "/topics/room:a/events?after=x", "/topics/{topic}/events", null)]
    [InlineData("GET", "/topics/room:a/events?limit=0", "/topics/{topic}/events", null)]
    [InlineData("GET", "/topics/thing:a/events", "/topics/{topic}/events", null)]
    [InlineData("GET", "/topics/events?topic=room:a", "/topics/events", null)]
    [InlineData("GET", "/topics/events?topic=a", "/topics/events", null)]
    [InlineData("GET", "/topics/events?topic=room:a&after=x", "/topics/events", null)]
    [InlineData("GET", "/topics/events", "/topics/events", null)]
    [InlineData("POST", "/topics/poll", "/topics/poll", """[{"topic":"room:a"},{"topic":"thing:a"}]""")]
    [InlineData("POST", "/topics/poll", "/topics/poll", "[]")]
    [InlineData("POST", "/topics/poll?wait=56", "/topics/poll", """[{"topic":"room:a"}]""")]
    [InlineData("PUT", "/topics/room:a/cursors/phone", "/topics/{topic}/cursors/{consumer}", """{"position":{"epoch":"x","offset":7}}""")]
    [InlineData("PUT", "/topics/room:a/cursors/phone", "/topics/{topic}/cursors/{consumer}", "{}")]
    [InlineData("PUT", "/topics/room/cursors/phone", "/topics/{topic}/cursors/{consumer}", """{"position":{"epoch":"x","offset":7}}""")]
    [InlineData("GET", "/topics/stream?topic=room:a", "/topics/stream", null)]
    [InlineData("GET", "/topics/stream", "/topics/stream", null)]
    [InlineData("GET", "/topics/stream?topic=thing:a", "/topics/stream", null)]
    public async Task What_the_server_answers_is_documented(string method, string address, string path, string? body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(method), address);
        request.Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);

        var documented = OperationOf(method, path).Responses![$"{(int)response.StatusCode}"];
        Assert.Contains(response.Content.Headers.ContentType!.MediaType!, documented.Content!.Keys);
        if (!response.IsSuccessStatusCode)
        {
            using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
            Assert.Contains($"`{problem.RootElement.GetProperty("code").GetString()}`", documented.Description, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Errors_have_the_codes_that_there_are()
    {
        var codes = _document.Components!.Schemas!["Problem"].Properties!["code"].Enum!.Select(code => code.GetValue<string>());

        Assert.Equal(ErrorCode.All.Select(error => error.Code), codes);
    }

    [Theory]
    [InlineData("TopicEvent", "data epoch event id offset topic trace_id v")]
    [InlineData("EventData", "entity_id payload signature timestamp user_id")]
    [InlineData("EventSignature", "keyId signedAt value")]
    [InlineData("SigningKeyRequest", "jwk spki user")]
    [InlineData("SigningKeyInfo", "createdAt jwk keyId revokedAt tenant user")]
    [InlineData("Position", "epoch offset")]
    [InlineData("PublishRequest", "entityId event id payload signature topic trace_id v")]
    [InlineData("Receipt", "delayMs timestamp topic trace_id")]
    [InlineData("PublishReply", "duplicate position timestamp")]
    [InlineData("PublishOutcome", "error reply")]
    [InlineData("ErrorBody", "code message retryAfterMs retryable")]
    [InlineData("HistoryReply", "complete events position recovery")]
    [InlineData("SubscribeReply", "events expiresAt more position recovery topic")]
    [InlineData("PollReply", "topics")]
    [InlineData("SubscribeRequest", "consumer ephemeral from position presence qos rewind topic")]
    [InlineData("SubscribeOutcome", "error reply")]
    [InlineData("AcknowledgeRequest", "consumer position topic")]
    [InlineData("StreamFrame", "control message subscribed")]
    [InlineData("StreamStart", "topics")]
    [InlineData("StreamTopic", "position recovery topic")]
    [InlineData("Control", "code count position reason retryAfterMs topic type")]
    public void Each_type_of_the_wire_has_its_members(string type, string members) =>
        Assert.Equal(members.Split(' '), _document.Components!.Schemas![type].Properties!.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void Every_schema_that_is_named_is_there()
    {
        var named = Reference().Matches(_json).Select(match => match.Groups["name"].Value).Distinct();

        Assert.Subset(_document.Components!.Schemas!.Keys.ToHashSet(StringComparer.Ordinal), named.ToHashSet(StringComparer.Ordinal));
    }

    [Fact]
    public void A_number_is_a_number() => Assert.DoesNotContain("\\\\d", _json, StringComparison.Ordinal);

    private OpenApiOperation OperationOf(string method, string path) => _document.Paths[path].Operations![HttpMethod.Parse(method)];

    [GeneratedRegex("\"#/components/schemas/(?<name>[^\"]+)\"", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reference();
}
