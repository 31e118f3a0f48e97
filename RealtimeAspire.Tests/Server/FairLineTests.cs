using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Server.Pipeline.Limits;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class FairLineTests
{
    private readonly FairLine<string> _line = new();

    [Fact]
    public void Who_has_one_thing_waiting_does_not_wait_for_who_has_many()
    {
        for (var i = 0; i < 1_000; i++)
        {
            Enter("default", "eve", $"eve {i}");
        }

        Enter("default", "ada", "ada");

        Assert.Equal(["eve 0", "ada", "eve 1", "eve 2"], Enumerable.Range(0, 4).Select(_ => Take()));
    }

    [Fact]
    public void A_tenant_of_many_users_has_as_many_turns_as_one_of_few()
    {
        for (var i = 0; i < 100; i++)
        {
            Enter("large", $"user {i}", $"large {i}");
        }

        Enter("small", "ada", "small 0");
        Enter("small", "ada", "small 1");

        Assert.Equal(["large 0", "small 0", "large 1", "small 1", "large 2"], Enumerable.Range(0, 5).Select(_ => Take()));
        Assert.Equal((97, 97, 0), (_line.Count, _line.CountOf("large"), _line.CountOf("small")));
    }

    [Fact]
    public void Each_user_s_order_stays_and_nothing_is_lost() => Prop.ForAll<(byte User, bool Takes)[]>(steps =>
    {
        var line = new FairLine<(UserKey User, int Number)>();
        var entered = new List<(UserKey User, int Number)>();
        var left = new List<(UserKey User, int Number)>();
        foreach (var (number, (user, takes)) in steps.Index())
        {
            var key = new UserKey($"{user % 3}", $"{user % 5}");
            entered.Add((key, number));
            line.Enter(key, (key, number));
            if (takes && line.TryTake(out var taken))
            {
                left.Add(taken);
            }
        }

        while (line.TryTake(out var rest))
        {
            left.Add(rest);
        }

        return line.Count == 0
            && left.Count == entered.Count
            && entered.GroupBy(item => item.User).All(user => user.SequenceEqual(left.Where(item => item.User == user.Key)));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void No_user_and_no_tenant_has_all_the_room()
    {
        var room = new PartedBudget(1_000, userPart: 0.25, tenantPart: 0.5);

        Assert.Equal(25, TakeTens(room.Of(new UserKey("a", "eve"))));
        Assert.Equal(25, TakeTens(room.Of(new UserKey("a", "mallory"))));
        Assert.False(room.Of(new UserKey("a", "ada")).TryTake(10));
        Assert.True(room.Of(new UserKey("b", "ada")).TryTake(10));

        room.Of(new UserKey("a", "eve")).Release(10);
        Assert.True(room.Of(new UserKey("a", "ada")).TryTake(10));
    }

    /// <summary>However small a part is: what fits into the whole can be done.</summary>
    [Fact]
    public void Who_has_nothing_waiting_can_always_enter_with_one_thing()
    {
        var room = new PartedBudget(1_000, userPart: 0.25, tenantPart: 0.9);

        Assert.True(room.Of(new UserKey("a", "ada")).TryTake(1_000));
        Assert.False(room.Of(new UserKey("b", "bob")).TryTake(1));
    }

    private void Enter(string tenant, string user, string item) => _line.Enter(new UserKey(tenant, user), item);

    private string Take() => _line.TryTake(out var item) ? item : "nothing";

    private static int TakeTens(ByteBudget budget)
    {
        var taken = 0;
        while (budget.TryTake(10))
        {
            taken++;
        }

        return taken;
    }
}
