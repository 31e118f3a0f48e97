using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>What is done about whom, and that nodes that hear of it in another order do the same.</summary>
public sealed class SignalActionsTests
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static readonly SignalSubject Ada = new(SubjectKind.User, "default", "ada");

    [Fact]
    public void Whatever_nodes_hear_first_they_do_the_same()
    {
        var actions = new[]
        {
            Action("a", SignalEffect.Slow, minutes: 60), Action("b", SignalEffect.Block, minutes: 5), Action("c", SignalEffect.Block, minutes: 10), Action("d", SignalEffect.Block, minutes: 10),
            Action("e", SignalEffect.Challenge, minutes: 20),
        };

        foreach (var order in new int[][] { [0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [3, 2, 1, 0, 4] })
        {
            var node = new SignalActions(TimeProvider.System);
            foreach (var i in order)
            {
                node.Begin(actions[i]);
            }

            Assert.Equal("d", node.Of(Ada)?.Id);
        }
    }

    [Fact]
    public void What_was_lifted_does_not_come_back_though_another_node_tells_of_it_again()
    {
        var node = new SignalActions(TimeProvider.System);
        var began = 0;
        node.Began += _ => began++;
        var action = Action("a", SignalEffect.Block, minutes: 5);
        node.Begin(action);

        Assert.Equal(action, node.Lift("a"));
        Assert.Null(node.Lift("a"));
        Assert.Null(node.Begin(action));
        Assert.True(node.IsEmpty);
        Assert.Equal("a", Assert.Single(node.Lifted).Id);
        Assert.NotNull(node.Begin(Action("b", SignalEffect.Block, minutes: 5)));
        Assert.Equal(2, began);
    }

    [Fact]
    public void What_is_over_counts_no_more()
    {
        var node = new SignalActions(TimeProvider.System);

        Assert.Null(node.Begin(Action("a", SignalEffect.Block, minutes: -1)));
        Assert.Equal(1, node.CostOf(new Caller("default", "ada")));
        node.Begin(Action("b", SignalEffect.Slow, minutes: 1));
        Assert.Equal(SignalActions.SlowFactor, node.CostOf(new Caller("default", "ada")));
        Assert.Equal(1, node.CostOf(new Caller("other", "ada")));
        Assert.False(node.Blocks(new Caller("default", "ada"), origin: null));
    }

    private static SignalAction Action(string id, SignalEffect effect, int minutes) =>
        new(id, SignalKind.SubscribeScan, effect, Ada, 80, "Because.", Now, Now.AddMinutes(minutes), "node");
}
