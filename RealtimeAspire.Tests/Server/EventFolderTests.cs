using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using RealtimeAspire.Server;

namespace RealtimeAspire.Tests.Server;

/// <summary>Events whose payloads are described by files.</summary>
public sealed class EventFolderTests : IDisposable
{
    private const string Poll = """
        {
          "$schema": "http://json-schema.org/draft-07/schema#",
          "title": "Poll",
          "type": "object",
          "properties": {
            "question": { "type": "string", "minLength": 1 },
            "answers": { "type": "array", "items": { "$ref": "#/definitions/answer" }, "minItems": 2 }
          },
          "required": ["question", "answers"],
          "definitions": { "answer": { "type": "object", "properties": { "text": { "type": "string", "maxLength": 5 } }, "required": ["text"] } }
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-events-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_schema_in_a_file_is_what_publishes_are_checked_by()
    {
        Write("room/app.poll.v1.json", Poll);
        await using var server = await TestServer.StartWithAsync(realtime => realtime.AddEvents(_folder));
        using var http = server.Http();

        Assert.Equal("", await PublishAsync(http, """{"event":"app:poll","payload":{"question":"Tea?","answers":[{"text":"yes"},{"text":"no"}]}}"""));
        Assert.Equal("payload_invalid: answers has at least 2 items.", await PublishAsync(http, """{"event":"app:poll","payload":{"question":"Tea?","answers":[]}}"""));
        Assert.Equal("payload_invalid: answers[].text has at most 5 characters.", await PublishAsync(http, """{"event":"app:poll","payload":{"question":"Tea?","answers":[{"text":"yes"},{"text":"perhaps"}]}}"""));
    }

    [Fact]
    public async Task A_publish_says_with_v_which_version_it_is_and_others_are_refused()
    {
        Write("room/app.poll.v1.json", """{"type":"string"}""");
        Write("room/app.poll.v3.json", """{"type":"number"}""");
        await using var server = await TestServer.StartWithAsync(
            realtime => realtime.AddEvent<bool>("room", "app:poll", version: 2), ("Realtime:Events:Folder", _folder));
        using var http = server.Http();

        Assert.Equal("", await PublishAsync(http, """{"event":"app:poll","payload":"x"}"""));
        Assert.Equal("", await PublishAsync(http, """{"event":"app:poll","v":2,"payload":true}"""));
        Assert.Equal("", await PublishAsync(http, """{"event":"app:poll","v":3,"payload":1}"""));
        Assert.Equal("payload_invalid: The payload is not a number.", await PublishAsync(http, """{"event":"app:poll","v":3,"payload":"x"}"""));
        Assert.Equal("version_unknown: app:poll is registered here in version (v) 1, 2, 3.", await PublishAsync(http, """{"event":"app:poll","v":4,"payload":"x"}"""));
        Assert.Equal("", await PublishAsync(http, """{"event":"app:other","v":4,"payload":"x"}"""));
    }

    [Fact]
    public async Task A_topic_type_may_refuse_events_that_nobody_has_registered()
    {
        await using var server = await TestServer.StartWithAsync(
            realtime => realtime.AddEvent<string>("room", "app:known"),
            ("Realtime:TopicTypes:room:UnknownEvents", "Refuse"), ("Realtime:TopicTypes:room:EphemeralEvents:0", "app:ping"), ("Realtime:TopicTypes:open:Durability", "Ephemeral"));
        using var http = server.Http();

        Assert.Equal("", await PublishAsync(http, """{"event":"app:known","payload":"x"}"""));
        Assert.Equal("", await PublishAsync(http, """{"event":"chat:message","payload":{"text":"x"}}"""));
        Assert.Equal("event_unknown: Topics of this type take registered events only; this one is not.", await PublishAsync(http, """{"event":"app:unknown","payload":"x"}"""));
        Assert.Equal("event_unknown: Topics of this type take registered events only; this one is not.", await PublishAsync(http, """{"event":"app:ping","payload":"x"}"""));
        Assert.StartsWith("event_not_allowed", await PublishAsync(http, """{"event":"server:only","payload":"x"}"""), StringComparison.Ordinal);
        Assert.Equal("", await PublishAsync(http, """{"event":"app:unknown","payload":"x"}""", "open:a"));
    }

    [Fact]
    public async Task Each_version_stands_in_the_document()
    {
        Write("room/app.poll.v1.json", Poll);
        Write("room/app.poll.v2.json", """{"type":"string"}""");
        await using var server = await TestServer.StartWithAsync(realtime => realtime.AddEvents(_folder));
        using var anonymous = new HttpClient { BaseAddress = server.Address };

        var text = await anonymous.GetStringAsync("/asyncapi/v3.json", TestContext.Current.CancellationToken);
        var document = JsonNode.Parse(text)!;

        var messages = document["channels"]!["room"]!["messages"]!.AsObject();
        Assert.Equal(["app:poll", "app:poll@2"], messages.Select(message => message.Key).Where(key => key.StartsWith("app:", StringComparison.Ordinal)));
        Assert.Equal("app:poll", (string?)messages["app:poll@2"]!["name"]);
        Assert.Equal(2, (int?)messages["app:poll@2"]!["payload"]!["properties"]!["v"]!["const"]);
        Assert.Equal("#/components/schemas/AppPollV2", (string?)messages["app:poll@2"]!["payload"]!["properties"]!["data"]!["properties"]!["payload"]!["$ref"]);
        Assert.Equal("#/components/schemas/Poll/definitions/answer", (string?)document["components"]!["schemas"]!["Poll"]!["properties"]!["answers"]!["items"]!["$ref"]);
        Assert.Empty((await Ajv.ErrorsAsync("@asyncapi/specs/schemas/3.0.0.json", [text]))[0]);
    }

    [Theory]
    [InlineData("room/app.poll.v1.json", """{"properties":{"a":{"type":"string","pattern":"x"}}}""", "room/app.poll.v1.json: #/properties/a says “pattern”, which is not known here.")]
    [InlineData("room/app.poll.v1.json", """{"definitions":{"a":{"oneOf":[]}}}""", "room/app.poll.v1.json: #/definitions/a says “oneOf”, which is not known here.")]
    [InlineData("room/app.poll.v1.json", """{"type":"strnig"}""", "room/app.poll.v1.json: # does not use “type” as it is meant.")]
    [InlineData("room/app.poll.v1.json", """{"type":"any"}""", "room/app.poll.v1.json: # does not use “type” as it is meant.")]
    [InlineData("room/app.poll.v1.json", """{"maxLength":-1}""", "# does not use “maxLength” as it is meant.")]
    [InlineData("room/app.poll.v1.json", """{"required":"a"}""", "# does not use “required” as it is meant.")]
    [InlineData("room/app.poll.v1.json", """{"items":[{}]}""", "#/items is no schema.")]
    [InlineData("room/app.poll.v1.json", """{"items":{"$ref":"#/definitions/a"}}""", "#/items refers to #/definitions/a, which is not there.")]
    [InlineData("room/app.poll.v1.json", """{"items":{"$ref":"https://example.test/a.json"}}""", "#/items refers to https://example.test/a.json, which is not there.")]
    [InlineData("room/app.poll.v1.json", """{"$ref":"#"}""", "nested deeper")]
    [InlineData("room/app.poll.v1.json", """{"items":{"$ref":"#","minLength":1}}""", "“$ref” beside other words")]
    [InlineData("room/app.poll.v1.json", """{"$schema":"https://json-schema.org/draft/2020-12/schema"}""", "another draft")]
    [InlineData("room/app.poll.v1.json", """{"type":"string","type":"number"}""", "room/app.poll.v1.json: ")]
    [InlineData("room/app.poll.v1.json", "{", "room/app.poll.v1.json: ")]
    [InlineData("room/app.poll.v1.json", "null", "null is no schema")]
    [InlineData("room/app.poll.json", "{}", "room/app.poll.json: A schema is in the file")]
    [InlineData("room/app.poll.v0.json", "{}", "room/app.poll.v0.json: A schema is in the file")]
    [InlineData("app.poll.v1.json", "{}", "app.poll.v1.json: A schema is in the file")]
    [InlineData("Room/app.poll.v1.json", "{}", "Room/app.poll.v1.json: A schema is in the file")]
    [InlineData("room/7.v1.json", "{}", "“7” is no event name")]
    public async Task What_is_wrong_with_a_file_stops_the_start_and_is_named(string file, string schema, string named)
    {
        Write(file, schema);

        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => TestServer.StartAsync(("Realtime:Events:Folder", _folder)));

        Assert.Contains(named, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_is_not_there_or_is_no_topic_types_stops_the_start()
    {
        var missing = await Assert.ThrowsAsync<InvalidOperationException>(() => TestServer.StartAsync(("Realtime:Events:Folder", Path.Combine(_folder, "nothing"))));
        Write("romm/app.poll.v1.json", "{}");
        var typo = await Assert.ThrowsAsync<OptionsValidationException>(() => TestServer.StartAsync(("Realtime:Events:Folder", _folder)));
        await using var server = await TestServer.StartAsync(("Realtime:Events:Folder", _folder), ("Realtime:TopicTypes:romm:Durability", "Durable"));

        Assert.Contains("there is no such folder", missing.Message, StringComparison.Ordinal);
        Assert.Contains("romm/app.poll.v1.json: there is no topic type 'romm'", typo.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_is_registered_once_in_each_version()
    {
        Write("room/app.poll.v1.json", "{}");
        await using var server = await TestServer.StartWithAsync(realtime =>
        {
            realtime.AddEvents(_folder).AddEvent<string>("room", "app:poll", version: 2);
            Assert.Throws<InvalidOperationException>(() => realtime.AddEvent<string>("room", "app:poll"));
            Assert.Throws<InvalidOperationException>(() => realtime.AddEvent<string>("room", "app:poll", version: 2));
            Assert.Throws<InvalidOperationException>(() => realtime.AddEvents(_folder));
            Assert.Throws<ArgumentOutOfRangeException>(() => realtime.AddEvent<string>("room", "app:poll", version: 0));
        });
    }

    private void Write(string file, string schema)
    {
        var path = Path.Combine(_folder, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, schema);
    }

    /// <returns>The error; nothing where there is none.</returns>
    private static async Task<string> PublishAsync(HttpClient http, string publish, string topic = "room:a")
    {
        using var content = new StringContent(publish, Encoding.UTF8, "application/json");
        using var response = await http.PostAsync($"/topics/{topic}/events", content, TestContext.Current.CancellationToken);
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
        return response.IsSuccessStatusCode ? "" : $"{body["code"]}: {body["detail"]}";
    }
}
