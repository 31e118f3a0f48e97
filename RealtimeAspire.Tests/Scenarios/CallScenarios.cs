using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Request and reply between two nodes, over the real Redis.</summary>
[Collection(SharedTopology.Name)]
public sealed class CallScenarios(Topology topology)
{
    private readonly string _topic = $"room:{Guid.NewGuid():N}";

    [Fact]
    public async Task A_call_reaches_the_handler_at_another_node_and_its_answer_the_caller_alone()
    {
        var nodes = topology.Nodes();
        using var caller = await ConnectAsync(nodes[0], "ada");
        using var other = await ConnectAsync(nodes[0], "eve");
        using var handler = await ConnectAsync(nodes[1], "bob");
        await handler.InvokeAsync("Handle", new { topic = _topic, method = "add" });
        await other.InvokeAsync("Handle", new { topic = _topic, method = "something-else" });

        var answer = caller.InvokeAsync("Call", new { topic = _topic, method = "add", payload = new[] { 1, 2 } });
        var call = await handler.CallAsync();
        await handler.InvokeAsync("Reply", new { callId = call.CallId, payload = new { sum = 3 } });

        Assert.Equal("""{"sum":3}""", (await answer).GetRawText());
        Assert.Equal(("ada", "[1,2]"), (call.From, call.Payload.GetRawText()));
        Assert.Empty(other.Calls);
    }

    [Fact]
    public async Task Handlers_at_both_nodes_are_not_asked_twice()
    {
        var nodes = topology.Nodes();
        using var caller = await ConnectAsync(nodes[0], "ada");
        using var third = await ConnectAsync(nodes[1], "ada");
        using var near = await ConnectAsync(nodes[0], "bob");
        using var far = await ConnectAsync(nodes[1], "bob");
        await near.InvokeAsync("Handle", new { topic = _topic, method = "count" });
        await far.InvokeAsync("Handle", new { topic = _topic, method = "count" });

        for (var i = 0; i < 5; i++)
        {
            var fromHere = caller.InvokeAsync("Call", new { topic = _topic, method = "count", payload = i });
            var here = await near.CallAsync();
            await near.InvokeAsync("Reply", new { callId = here.CallId, payload = here.Payload });
            Assert.Equal(i, (await fromHere).GetInt32());
            var fromThere = third.InvokeAsync("Call", new { topic = _topic, method = "count", payload = i });
            var there = await far.CallAsync();
            await far.InvokeAsync("Reply", new { callId = there.CallId, payload = there.Payload });
            Assert.Equal(i, (await fromThere).GetInt32());
        }

        Assert.Equal((0, 0), (near.Calls.Count, far.Calls.Count));
    }

    [Fact]
    public async Task Whose_handler_at_another_node_goes_is_told_and_then_that_there_is_none()
    {
        var nodes = topology.Nodes();
        using var caller = await ConnectAsync(nodes[0], "ada");
        var handler = await ConnectAsync(nodes[1], "bob");
        await handler.InvokeAsync("Handle", new { topic = _topic, method = "slow" });

        var answer = caller.InvokeAsync("Call", new { topic = _topic, method = "slow", timeoutMs = 60_000 });
        await handler.CallAsync();
        handler.Dispose();
        var gone = await Assert.ThrowsAsync<RealtimeException>(() => answer);
        var nobody = await Assert.ThrowsAsync<RealtimeException>(() => caller.InvokeAsync("Call", new { topic = _topic, method = "slow", timeoutMs = 60_000 }));

        Assert.Equal(("handler_gone", "no_handler"), (gone.Code, nobody.Code));
    }

    /// <summary>The question can reach a node that is about to leave the method's channel, and then nobody answers it.</summary>
    [Fact]
    public async Task What_is_handled_no_more_is_nobodys_however_soon_it_is_called()
    {
        using var client = await ConnectAsync(topology.Nodes()[0], "ada");
        for (var i = 0; i < 20; i++)
        {
            var target = new { topic = _topic, method = "gone", timeoutMs = 60_000 };
            await client.InvokeAsync("Handle", target);
            await client.SendAsync("Unhandle", target);
            var nobody = await Assert.ThrowsAsync<RealtimeException>(() => client.InvokeAsync("Call", target));
            Assert.Equal("no_handler", nobody.Code);
        }
    }

    private async Task<RawHub> ConnectAsync(Node node, string user) => await RawHub.ConnectAsync(node.Address, await topology.TokenAsync(user, node.Address));
}
