namespace RealtimeAspire.Server.Pipeline.Limits;

/// <summary>How nodes divide a rate among themselves, each by itself from what all have asked for. Pure.</summary>
internal static class Shares
{
    /// <summary>What is divided evenly whatever is asked for, so that a node that was idle can begin at once.</summary>
    private const double Reserve = 0.1;

    /// <summary>
    /// A node's share of a rate: a small part of it in any case, then what it asks for as far as nobody who asks for less goes short,
    /// then an even part of what nobody asks for. The shares of all nodes are the rate.
    /// </summary>
    /// <param name="rate">What all nodes have together.</param>
    /// <param name="others">What each other node has asked for, 0 or more; in any order.</param>
    /// <param name="own">What this one has asked for.</param>
    public static double Of(double rate, IReadOnlyCollection<double> others, double own)
    {
        var nodes = others.Count + 1;
        var rest = rate * (1 - Reserve);
        var waiting = nodes;
        var filled = 0.0;
        // The least first: whoever asks for less than an even part of the rest has all of it.
        foreach (var demand in others.Append(own).Order())
        {
            var given = Math.Min(demand, rest / waiting);
            rest -= given;
            waiting--;
            if (demand <= own)
            {
                // Of those who ask for the same, each has the same.
                filled = given;
            }
        }

        return (rate * Reserve / nodes) + filled + (Math.Max(0, rest) / nodes);
    }
}
