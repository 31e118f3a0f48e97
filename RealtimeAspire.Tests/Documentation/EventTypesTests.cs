using RealtimeAspire.Tests.Server;

namespace RealtimeAspire.Tests.Documentation;

/// <summary>The TypeScript types of events are made from what the server has registered.</summary>
public sealed class EventTypesTests : IDisposable
{
    private static readonly string Client = Repository.PathOf("clients/typescript");

    private readonly string _folder = Directory.CreateTempSubdirectory("realtime-types-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_TypeScript_client_knows_the_events_of_the_features()
    {
        await using var server = await TestServer.StartAsync();

        var made = await MakeAsync(server.Address.ToString());

        var path = Path.Combine(Client, "src", "events.ts");
        if (Environment.GetEnvironmentVariable(EventSchemaTests.Update) == "1")
            await File.WriteAllTextAsync(path, made, TestContext.Current.CancellationToken);
        var kept = await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
        Assert.True(made == kept, $"clients/typescript/src/events.ts is out of date. {EventSchemaTests.Update}=1 dotnet test --filter FullyQualifiedName~{nameof(EventTypesTests)} writes it; commit that.");
    }

    [Fact]
    public async Task Types_of_payloads_of_every_kind_compile()
    {
        await using var server = await TestServer.StartWithAsync(realtime => realtime
            .AddEvent("room", "app:order", SchemaJson.Default.Order)
            .AddEvent("room", "app:tree", SchemaJson.Default.Tree)
            .AddEvent("room", "app:shape", SchemaJson.Default.Shape)
            .AddEvent("room", "app:lines", SchemaJson.Default.DictionaryStringLine)
            .AddEvent("room", "app:numbers", SchemaJson.Default.Int32Array)
            .AddEvent<string?>("room", "app:text"));

        // The document as a file, too.
        using var http = new HttpClient { BaseAddress = server.Address };
        var document = Path.Combine(_folder, "events.json");
        await File.WriteAllTextAsync(document, await http.GetStringAsync("/asyncapi/v3.json", TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        await MakeAsync(document);
        await File.WriteAllTextAsync(Path.Combine(_folder, "use.ts"), """
            import type { RealtimeEvents } from "./events";
            export const order: RealtimeEvents["app:order"] = { text: "x", lines: [{ name: "a", amount: 1 }], side: "Buy" };
            export const tree: RealtimeEvents["app:tree"] = { name: "a", children: [{ name: "b", children: [] }] };
            export const shape: RealtimeEvents["app:shape"] = { kind: "circle", radius: 1 };
            export const lines: RealtimeEvents["app:lines"] = { a: { name: "a", amount: 1 } };
            export const numbers: RealtimeEvents["app:numbers"] = [1];
            // @ts-expect-error There is no such side.
            export const wrong: RealtimeEvents["app:order"] = { text: "x", lines: [], side: "Hold" };
            // @ts-expect-error A square has a side.
            export const square: RealtimeEvents["app:shape"] = { kind: "square", radius: 1 };
            """, TestContext.Current.CancellationToken);

        await Run.InAsync(_folder, "node", Path.Combine(Client, "node_modules/typescript/bin/tsc"), "--noEmit", "--strict", "use.ts");
    }

    private async Task<string> MakeAsync(string source)
    {
        var made = Path.Combine(_folder, "events.ts");
        await Run.InAsync(_folder, "node", Path.Combine(Client, "dist/realtime-types.js"), source, "--out", made);
        return await File.ReadAllTextAsync(made, TestContext.Current.CancellationToken);
    }
}
