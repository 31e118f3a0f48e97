using System.Text.Json.Nodes;

namespace RealtimeAspire.Tests.Server;

/// <summary>The document that the server gives of its events.</summary>
public sealed class EventDocumentTests
{
    [Fact]
    public async Task It_is_AsyncAPI_3_as_its_own_schema_has_it()
    {
        var document = await DocumentAsync();

        var errors = await Ajv.ErrorsAsync("@asyncapi/specs/schemas/3.0.0.json", [document.ToJsonString(), "{}"]);

        Assert.Empty(errors[0]);
        Assert.NotEmpty(errors[1]);
        Assert.Equal("3.0.0", (string?)document["asyncapi"]);
    }

    [Fact]
    public async Task Every_reference_leads_to_something()
    {
        var document = await DocumentAsync(("Realtime:TopicTypes:ticker:Durability", "Recoverable"));

        var references = ReferencesOf(document).ToList();

        Assert.Contains("#/components/schemas/Tree", references);
        Assert.All(references, reference => Assert.NotNull(reference[2..].Split('/').Aggregate((JsonNode?)document, (node, name) => node?[name])));
    }

    [Fact]
    public async Task A_channel_is_a_topic_type_and_has_the_events_that_are_registered_for_it()
    {
        var document = await DocumentAsync(("Realtime:TopicTypes:ticker:Durability", "Recoverable"));

        Assert.Equal(["bot", "canvas", "room", "system", "ticker", "user"], document["channels"]!.AsObject().Select(channel => channel.Key));
        Assert.Equal("ticker:{identifier}", (string?)document["channels"]!["ticker"]!["address"]);
        Assert.Equal(["app:order", "app:tree"], document["channels"]!["ticker"]!["messages"]!.AsObject().Select(message => message.Key));
        var message = document["channels"]!["room"]!["messages"]!["chat:message"]!;
        Assert.Equal("#/components/schemas/ChatMessage", (string?)message["payload"]!["properties"]!["data"]!["properties"]!["payload"]!["$ref"]);
        Assert.Equal(4_000, (int?)document["components"]!["schemas"]!["ChatMessage"]!["properties"]!["text"]!["maxLength"]);
    }

    /// <summary>An event as a subscriber gets it fits its message; one with another payload does not.</summary>
    [Fact]
    public async Task An_event_of_the_wire_is_what_its_message_says()
    {
        var document = await DocumentAsync();
        var schema = (JsonObject)document["channels"]!["room"]!["messages"]!["chat:message"]!["payload"]!.DeepClone();
        schema["components"] = document["components"]!.DeepClone();

        var errors = await Ajv.ErrorsAsync(schema,
        [
            """{"topic":"room:a","event":"chat:message","offset":1,"epoch":"e","id":"1","v":1,"data":{"entity_id":null,"payload":{"text":"hi"},"user_id":"ada","timestamp":"2026-11-21T05:27:00.123Z"},"trace_id":null}""",
            """{"topic":"room:a","event":"chat:message","offset":1,"epoch":"e","id":"1","v":1,"data":{"entity_id":null,"payload":{"text":""},"user_id":"ada","timestamp":"2026-11-21T05:27:00.123Z"},"trace_id":null}""",
            """{"topic":"room:a","event":"chat:message","data":{"payload":{"text":"hi"}}}""",
        ]);

        Assert.Empty(errors[0]);
        Assert.Equal(["/data/payload/text must NOT have fewer than 1 characters"], errors[1]);
        Assert.NotEmpty(errors[2]);
    }

    [Fact]
    public async Task An_event_of_the_applications_is_checked_like_a_features()
    {
        await using var server = await StartAsync();
        using var http = server.Http();

        using var wrong = await http.PostAsync("/topics/room:a/events", Json("""{"event":"app:order","payload":{"text":"x"}}"""), TestContext.Current.CancellationToken);
        using var right = await http.PostAsync("/topics/room:a/events", Json("""{"event":"app:order","payload":{"text":"x","lines":[]}}"""), TestContext.Current.CancellationToken);

        Assert.Equal(400, (int)wrong.StatusCode);
        Assert.Contains("lines is missing.", await wrong.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(201, (int)right.StatusCode);
    }

    [Theory]
    [InlineData("app:closed", 403)]
    [InlineData("closed", 403)]
    [InlineData("open", 201)]
    public async Task Who_registers_an_event_says_whether_clients_may_publish_it(string name, int status)
    {
        await using var server = await TestServer.StartWithAsync(
            realtime => realtime.AddEvent<string>("room", "closed").AddEvent<string>("room", "app:closed").AddEvent<string>("room", "open", fromClients: true),
            ("Realtime:TopicTypes:room:ClientEvents:0", "app:other"));
        using var http = server.Http();

        using var response = await http.PostAsync("/topics/room:a/events", Json($$"""{"event":"{{name}}","payload":"x"}"""), TestContext.Current.CancellationToken);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task An_event_is_registered_once_and_has_a_name()
    {
        await using var server = await TestServer.StartWithAsync(realtime =>
        {
            Assert.Throws<InvalidOperationException>(() => realtime.AddEvent<string>("room", "chat:message"));
            Assert.Throws<ArgumentException>(() => realtime.AddEvent<string>("room", "7"));
        });
    }

    private static Task<TestServer> StartAsync(params (string Key, string Value)[] settings) => TestServer.StartWithAsync(
        realtime => realtime
            .AddEvent("room", "app:order", SchemaJson.Default.Order)
            .AddEvent("ticker", "app:order", SchemaJson.Default.Order)
            .AddEvent("ticker", "app:tree", SchemaJson.Default.Tree),
        settings);

    private static async Task<JsonNode> DocumentAsync(params (string Key, string Value)[] settings)
    {
        await using var server = await StartAsync(settings);
        using var anonymous = new HttpClient { BaseAddress = server.Address };
        return JsonNode.Parse(await anonymous.GetStringAsync("/asyncapi/v3.json", TestContext.Current.CancellationToken))!;
    }

    private static StringContent Json(string json) => new(json, System.Text.Encoding.UTF8, "application/json");

    private static IEnumerable<string> ReferencesOf(JsonNode? node) => node switch
    {
        JsonObject { Count: 1 } reference when reference["$ref"] is JsonValue target => [(string)target!],
        JsonObject members => members.SelectMany(member => ReferencesOf(member.Value)),
        JsonArray items => items.SelectMany(ReferencesOf),
        _ => [],
    };
}
