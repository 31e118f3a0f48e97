using System.Globalization;
using System.Text;
using RealtimeAspire.Benchmarks.Peers;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>One shape's results as a Markdown table: a line per case and peer, medians with the lowest and the highest.</summary>
internal static class ResultTable
{
    public static string Render(Shape shape, IReadOnlyList<Result> results)
    {
        var own = results.Where(result => result.Shape == shape).ToArray();
        var others = own.Select(result => result.Peer).Where(peer => peer.Durability == "none").Distinct().ToArray();
        var text = new StringBuilder("| load | server | durability |");
        var line = new StringBuilder("|---|---|---|");
        foreach (var column in shape.Columns)
        {
            IEnumerable<string> titles = [column.Title, .. column.Compared ? others.Select(other => $"× {other.Id}") : [], .. column.LogShown ? ["the log, µs"] : (string[])[]];
            foreach (var title in titles)
            {
                text.Append($" {title} |");
                line.Append("---:|");
            }
        }

        text.AppendLine().Append(line).AppendLine();
        foreach (var ofCase in own.GroupBy(result => result.Measured.Case))
        {
            foreach (var ofPeer in ofCase.GroupBy(result => result.Peer))
            {
                text.Append($"| {ofCase.Key} | {ofPeer.Key.Name} | {ofPeer.Key.Durability} |");
                foreach (var column in shape.Columns)
                {
                    text.Append($" {Cell([.. ofPeer], column)} |");
                    if (column.Compared)
                        text.AppendJoin("", others.Select(other => $" {Ratio(Median(ofPeer, column), Median(ofCase.Where(result => result.Peer == other), column))} |"));
                    if (column.LogShown)
                        text.Append($" {LogShare(ofPeer.Key, ofCase, column)} |");
                }

                text.AppendLine();
            }
        }

        return text.ToString();
    }

    private static string Cell(IReadOnlyList<Result> rounds, Column column)
    {
        var values = ValuesOf(rounds, column);
        if (values.Length == 0)
            return "–";
        // Of what must not happen at all, a median would hide the one time that it did.
        if (column.Worst)
            return Number(values[^1], column);
        return values.Length == 1 ? Number(values[0], column) : $"**{Number(MedianOf(values), column)}** ({Number(values[0], column)}–{Number(values[^1], column)})";
    }

    private static string Ratio(double? value, double? other) => value is null || other is null or 0 ? "–" : (value.Value / other.Value).ToString("0.00", CultureInfo.InvariantCulture);

    private static string LogShare(Peer peer, IEnumerable<Result> ofCase, Column column)
    {
        if (peer.Durability is "none" or "ephemeral")
            return "–";
        var share = Median(ofCase.Where(result => result.Peer == peer), column) - Median(ofCase.Where(result => result.Peer.Id == peer.Id && result.Peer.Durability == "ephemeral"), column);
        return share is null ? "–" : Number(share.Value, column);
    }

    private static double? Median(IEnumerable<Result> rounds, Column column) => ValuesOf(rounds, column) is { Length: > 0 } values ? MedianOf(values) : null;

    private static double[] ValuesOf(IEnumerable<Result> rounds, Column column) =>
        [.. rounds.Where(result => result.Measured.Values.ContainsKey(column.Key)).Select(result => result.Measured.Values[column.Key]).Order()];

    private static double MedianOf(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;

    private static string Number(double value, Column column) => value.ToString(column.Format, CultureInfo.InvariantCulture);
}
