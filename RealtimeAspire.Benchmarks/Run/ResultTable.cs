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
        var columns = shape.Columns;
        var compared = columns.FirstOrDefault(column => column.Compared);
        var own = results.Where(result => result.Shape == shape).ToArray();
        var text = new StringBuilder("| load | server | durability |");
        foreach (var column in columns)
            text.Append($" {column.Title} |").Append(column.Compared ? " × bare hub |" : "");
        text.AppendLine().Append("|---|---|---|");
        foreach (var column in columns)
            text.Append("---:|").Append(column.Compared ? "---:|" : "");
        text.AppendLine();

        foreach (var ofCase in own.GroupBy(result => result.Measured.Case))
        {
            var hub = compared is null ? null : Median(ofCase.Where(result => result.Peer is BareHubPeer), compared);
            foreach (var ofPeer in ofCase.GroupBy(result => result.Peer))
            {
                text.Append($"| {ofCase.Key} | {ofPeer.Key.Name} | {ofPeer.Key.Durability} |");
                foreach (var column in columns)
                    text.Append($" {Cell([.. ofPeer], column)} |").Append(column.Compared ? $" {Ratio(Median(ofPeer, column), hub)} |" : "");
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

    private static string Ratio(double? value, double? hub) => value is null || hub is null or 0 ? "–" : (value.Value / hub.Value).ToString("0.00", CultureInfo.InvariantCulture);

    private static double? Median(IEnumerable<Result> rounds, Column column) => ValuesOf(rounds, column) is { Length: > 0 } values ? MedianOf(values) : null;

    private static double[] ValuesOf(IEnumerable<Result> rounds, Column column) =>
        [.. rounds.Where(result => result.Measured.Values.ContainsKey(column.Key)).Select(result => result.Measured.Values[column.Key]).Order()];

    private static double MedianOf(double[] sorted) => (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;

    private static string Number(double value, Column column) => value.ToString(column.Format, CultureInfo.InvariantCulture);
}
