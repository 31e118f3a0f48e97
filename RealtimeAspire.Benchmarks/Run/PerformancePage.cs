using System.Text;
using RealtimeAspire.Benchmarks.Shapes;

namespace RealtimeAspire.Benchmarks.Run;

/// <summary>The tables, on the console and between two marks of <c>docs/performance.md</c>. Text around the marks stays.</summary>
internal sealed class PerformancePage(BenchmarkOptions options, IReadOnlyList<(string Name, string Value)> facts)
{
    private const string Begin = "<!-- results: written by RealtimeAspire.Benchmarks -->";
    private const string End = "<!-- /results -->";

    private static readonly string File = Path.Combine(Machine.RepositoryRoot, "docs", "performance.md");

    public string Print(IReadOnlyList<Result> results)
    {
        var text = new StringBuilder().AppendLine().AppendLine(Facts());
        foreach (var shape in options.Shapes)
            text.AppendLine().AppendLine($"### {shape.Title}").AppendLine().Append(ResultTable.Render(shape, results));
        return text.ToString();
    }

    /// <summary>Replaces the tables of what was measured and leaves those of other shapes, each under the facts of its own run.</summary>
    public async Task WriteAsync(IReadOnlyList<Result> results, CancellationToken cancellationToken)
    {
        var text = System.IO.File.Exists(File) ? await System.IO.File.ReadAllTextAsync(File, cancellationToken) : $"# Performance\n\n{Begin}\n{End}\n";
        var (begin, end) = (text.IndexOf(Begin, StringComparison.Ordinal), text.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin)
            throw new BenchmarkException($"{File} has not the marks between which the tables go: {Begin} and {End}.");

        var old = text[(begin + Begin.Length)..end];
        var made = new StringBuilder();
        foreach (var shape in Shape.All)
            made.Append(results.Any(result => result.Shape == shape) ? Section(shape, results) : Kept(shape, old));
        await System.IO.File.WriteAllTextAsync(File, $"{text[..begin]}{Begin}\n{made}\n{text[end..]}", cancellationToken);
    }

    private string Section(Shape shape, IReadOnlyList<Result> results) => $"""

        {Mark(shape)}
        ### {shape.Title}

        {shape.Text}

        {ResultTable.Render(shape, results)}
        {options.Rounds} round{(options.Rounds == 1 ? "" : "s")}, {options.WarmUp.TotalSeconds:0} s of warm-up, windows of {options.Window.TotalSeconds:0} s · {Facts()}
        {EndMark(shape)}

        """;

    private static string Kept(Shape shape, string old)
    {
        var (begin, end) = (old.IndexOf(Mark(shape), StringComparison.Ordinal), old.IndexOf(EndMark(shape), StringComparison.Ordinal));
        return begin < 0 || end < 0 ? "" : $"\n{old[begin..end]}{EndMark(shape)}\n";
    }

    private string Facts() => string.Join(" · ", facts.Select(fact => $"{fact.Name} {fact.Value}"));

    private static string Mark(Shape shape) => $"<!-- {shape.Name} -->";

    private static string EndMark(Shape shape) => $"<!-- /{shape.Name} -->";
}
