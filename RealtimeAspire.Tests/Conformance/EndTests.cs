using System.Diagnostics;
using System.Runtime.CompilerServices;
using RealtimeAspire.Client;

namespace RealtimeAspire.Tests.Conformance;

/// <summary>A client that is closed leaves nothing behind: no connection, no timer, nothing that keeps it in memory.</summary>
[Collection(SharedTopology.Name)]
public sealed class EndTests(Topology topology)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Node ends when nothing is left to do: while a timer or a connection is left, it runs on.</summary>
    [Theory]
    [InlineData("webSocket")]
    [InlineData("stream")]
    [InlineData("poll")]
    public async Task A_program_that_closes_its_TypeScript_client_ends(string transport)
    {
        var program = $$"""
            import { RealtimeClient } from "./index.js";
            const client = new RealtimeClient("{{topology.Api}}", { token: () => "{{await topology.TokenAsync("ada")}}", transports: ["{{transport}}"], receipts: 1 });
            const room = await client.subscribe("room:{{Guid.NewGuid():N}}");
            if (client.transport === "webSocket") await client.handle(room.topic, "add", () => 1);
            await client.publish(room.topic, "app:note", 1);
            for await (const event of room) break;
            const waiting = client.publish(room.topic, "app:note", 2).catch(() => undefined);
            const called = client.call(room.topic, "nobody").catch(() => undefined);
            client.close();
            await Promise.all([waiting, called]);
            console.log("closed");
            """;
        var started = new ProcessStartInfo("node", ["--input-type=module", "--eval", program.Replace("./index.js", Repository.PathOf("clients/typescript/dist/index.js"), StringComparison.Ordinal)])
        {
            WorkingDirectory = Repository.PathOf("clients/typescript"),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(started)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(Topology.Cancelled), process.StandardError.ReadToEndAsync(Topology.Cancelled));
        try
        {
            await process.WaitForExitAsync(Topology.Cancelled).WaitAsync(Limit, TimeProvider.System, Topology.Cancelled);
            Assert.Equal(("closed", "", 0), ((await output).Trim(), await errors, process.ExitCode));
        }
        finally
        {
            process.Kill();
        }
    }

    [Theory]
    [InlineData(Transport.WebSocket)]
    [InlineData(Transport.Stream)]
    [InlineData(Transport.Poll)]
    public async Task A_NET_client_that_is_disposed_leaves_no_connection_and_no_memory(Transport transport)
    {
        await using var network = TcpProxy.Start(topology.Api.Port);
        var client = await UseAsync(network.Port, transport);

        // Requests leave their connections to others for a while.
        if (transport is Transport.WebSocket)
        {
            await Eventually.BecomesTrueAsync(() => network.Connections == 0, "a connection is left");
        }

        await Eventually.BecomesTrueAsync(
            () =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return !client.IsAlive;
            },
            "something keeps the client");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<WeakReference> UseAsync(int port, Transport transport)
    {
        var token = await topology.TokenAsync("ada");
        var client = new RealtimeClient(
            new Uri($"http://127.0.0.1:{port}"), new RealtimeClientOptions { Token = _ => Task.FromResult<string?>(token), Transports = [transport], Receipts = 1 });
        var heard = new TaskCompletionSource();
        var room = await client.SubscribeAsync($"room:{Guid.NewGuid():N}", new SubscribeOptions
        {
            OnEvent = _ =>
            {
                heard.TrySetResult();
                return Task.CompletedTask;
            },
        });
        await client.PublishAsync(room.Topic, "app:note", 1);
        await heard.Task.WaitAsync(Limit, TimeProvider.System);
        await client.DisposeAsync();
        return new WeakReference(client);
    }
}
