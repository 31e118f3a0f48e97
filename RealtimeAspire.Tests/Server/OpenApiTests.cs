using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;
using Microsoft.OpenApi.Reader;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Server;

/// <summary>The document that the server gives of its own HTTP API.</summary>
public sealed partial class OpenApiTests(OpenApiTests.Served served) : IClassFixture<OpenApiTests.Served>
{
    private readonly OpenApiDocument _document = served.Document;
    private readonly HttpClient _http = served.Http;
    private readonly string _json = served.Json;

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
    [InlineData("/rooms", "get", "after limit", "200 400 401 403 429 503")]
    [InlineData("/rooms", "post", "", "201 400 401 403 404 409 413 415 429 503")]
    [InlineData("/rooms/{room}", "patch", "room", "200 400 401 403 404 413 415 429 503")]
    [InlineData("/rooms/{room}/messages", "get", "room before after around at unread limit", "200 400 401 403 404 429 503")]
    [InlineData("/rooms/{room}/messages/{id}", "delete", "room id", "204 400 401 403 404 429 503")]
    [InlineData("/rooms/{room}/messages/{id}/thread", "get", "room id before after limit", "200 400 401 403 404 429 503")]
    [InlineData("/rooms/{room}/read", "post", "room", "204 400 401 403 404 413 415 429 503")]
    [InlineData("/rooms/{room}/search", "get", "room q before limit", "200 400 401 403 404 429 503")]
    [InlineData("/rooms/{room}/commands", "get", "room", "200 400 401 403 404 429 503")]
    [InlineData("/rooms/{room}/commands", "post", "room", "200 400 401 403 404 409 413 415 422 429 503")]
    [InlineData("/bots/{bot}/commands/{name}", "put", "bot name", "204 400 401 403 404 409 413 415 429 503")]
    [InlineData("/rooms/{room}/mutes/{user}", "put", "room user", "204 400 401 403 404 413 415 429 503")]
    [InlineData("/topics/{topic}/privacy", "put", "topic", "201 204 400 401 403 404 413 415 429 503")]
    [InlineData("/topics/{topic}/privacy", "delete", "topic", "204 400 401 403 404 413 415 429 503")]
    [InlineData("/topics/{topic}/members", "get", "topic after limit", "200 400 401 403 404 429 503")]
    [InlineData("/topics/{topic}/members/{user}", "put", "topic user", "204 400 401 403 404 409 413 415 429 503")]
    [InlineData("/topics/{topic}/members/{user}", "delete", "topic user", "204 400 401 403 404 409 413 415 429 503")]
    [InlineData("/topics/{topic}/presence", "get", "topic after limit", "200 400 401 403 404 429 503")]
    [InlineData("/presence", "put", "", "204 400 401 403 413 415 429 503")]
    [InlineData("/users/{user}/presence", "get", "user", "200 400 401 403 404 429 503")]
    [InlineData("/notifications", "post", "Idempotency-Key", "200 201 202 400 401 403 404 409 413 415 429 503")]
    [InlineData("/notifications/sends/{id}", "get", "id", "200 401 403 404 429 503")]
    [InlineData("/notifications/{id}/deliveries", "get", "id after limit", "200 400 401 403 404 429 503")]
    [InlineData("/notifications/dead-letters", "get", "after limit", "200 400 401 403 429 503")]
    [InlineData("/notifications/dead-letters/{delivery}/retry", "post", "delivery", "204 400 401 403 404 429 503")]
    [InlineData("/notifications/recipients/{user}", "put", "user", "204 400 401 403 404 413 415 429 503")]
    [InlineData("/inbox", "get", "before limit unread", "200 400 401 403 429 503")]
    [InlineData("/inbox/unread", "get", "", "200 400 401 403 429 503")]
    [InlineData("/inbox/read", "post", "device", "200 400 401 403 413 415 429 503")]
    [InlineData("/inbox/{id}/read", "post", "id device", "200 400 401 403 404 429 503")]
    [InlineData("/inbox/{id}", "delete", "id", "200 400 401 403 429 503")]
    [InlineData("/inbox/preferences", "get", "", "200 400 401 403 429 503")]
    [InlineData("/inbox/preferences", "put", "", "200 400 401 403 413 415 429 503")]
    [InlineData("/inbox/devices", "get", "", "200 400 401 403 429 503")]
    [InlineData("/inbox/devices/{device}", "put", "device", "204 400 401 403 413 415 429 503")]
    [InlineData("/inbox/devices/{device}", "delete", "device", "204 400 401 403 429 503")]
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
            "/attachments/{id}", "/attachments/{id}/thumbnail", "/audit", "/auth/accounts/{user}", "/auth/refresh", "/auth/revoke", "/auth/token",
            "/bots/{bot}/commands/{name}", "/bots/{bot}/replies", "/connections",
            "/connections/{connection}", "/events", "/inbox", "/inbox/devices", "/inbox/devices/{device}", "/inbox/preferences", "/inbox/read", "/inbox/unread",
            "/inbox/{id}", "/inbox/{id}/read", "/keys", "/keys/{id}", "/keys/{id}/rotation", "/notifications", "/notifications/dead-letters",
            "/notifications/dead-letters/{delivery}/retry", "/notifications/recipients/{user}", "/notifications/sends/{id}", "/notifications/{id}/deliveries", "/presence", "/receipts",
            "/rooms", "/rooms/direct/{user}", "/rooms/{room}", "/rooms/{room}/attachments", "/rooms/{room}/commands", "/rooms/{room}/delivered", "/rooms/{room}/membership",
            "/rooms/{room}/messages", "/rooms/{room}/messages/{id}", "/rooms/{room}/messages/{id}/edits", "/rooms/{room}/messages/{id}/receipts",
            "/rooms/{room}/messages/{id}/reports", "/rooms/{room}/messages/{id}/thread", "/rooms/{room}/mutes", "/rooms/{room}/mutes/{user}", "/rooms/{room}/pins",
            "/rooms/{room}/positions", "/rooms/{room}/read", "/rooms/{room}/rebuild", "/rooms/{room}/reports", "/rooms/{room}/reports/{report}/resolution",
            "/rooms/{room}/search", "/search", "/signals", "/signals/actions", "/signals/actions/{id}",
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

    /// <summary>A server, and what it says of itself: read once, for it is large.</summary>
    public sealed class Served : IAsyncLifetime
    {
        private TestServer _server = null!;

        public OpenApiDocument Document { get; private set; } = null!;

        public HttpClient Http { get; private set; } = null!;

        public string Json { get; private set; } = "";

        public async ValueTask InitializeAsync()
        {
            _server = await TestServer.StartAsync();
            Http = _server.Http();
            using var anonymous = new HttpClient { BaseAddress = _server.Address };
            Json = await anonymous.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken);
            var read = OpenApiDocument.Parse(Json, OpenApiConstants.Json);
            Assert.Empty(read.Diagnostic!.Errors);
            Assert.Empty(read.Diagnostic.Warnings);
            Assert.Equal(OpenApiSpecVersion.OpenApi3_1, read.Diagnostic.SpecificationVersion);
            Document = read.Document!;
        }

        public async ValueTask DisposeAsync()
        {
            Http.Dispose();
            await _server.DisposeAsync();
        }
    }
}
