using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RealtimeAspire.Server.Pipeline.Topics;

/// <summary>Between what a number may be, or how many there may be of something.</summary>
internal readonly record struct SchemaBounds(double Least, double Most, bool IsAbove, bool IsBelow)
{
    public static SchemaBounds None { get; } = new(double.NegativeInfinity, double.PositiveInfinity, IsAbove: false, IsBelow: false);

    /// <summary>Of what a schema says with some of the words; the tighter one where two say something.</summary>
    public static SchemaBounds Of(JsonObject schema, params ReadOnlySpan<string> words)
    {
        var bounds = None;
        foreach (var word in words)
        {
            if (schema[word] is { } limit)
            {
                bounds = bounds.With(word, limit.GetValue<double>());
            }
        }

        return bounds;
    }

    public SchemaBounds With(string word, double limit)
    {
        var isExclusive = word.StartsWith("exclusive", StringComparison.Ordinal);
        if (word.Contains("max", StringComparison.OrdinalIgnoreCase))
        {
            return limit < Most || (limit == Most && isExclusive) ? this with { Most = limit, IsBelow = isExclusive } : this;
        }

        return limit > Least || (limit == Least && isExclusive) ? this with { Least = limit, IsAbove = isExclusive } : this;
    }

    public bool Allow(double value) => (IsAbove ? value > Least : value >= Least) && (IsBelow ? value < Most : value <= Most);

    public bool Allow(JsonElement number) => this == None || Allow(number.GetDouble());

    /// <summary>Whether all that is within the other ones is within these.</summary>
    public bool Hold(SchemaBounds others) =>
        (Least < others.Least || (Least == others.Least && (!IsAbove || others.IsAbove)))
        && (Most > others.Most || (Most == others.Most && (!IsBelow || others.IsBelow)));

    public override string ToString() => (double.IsFinite(Least), double.IsFinite(Most)) switch
    {
        (false, false) => "any number of",
        (true, true) when !IsAbove && !IsBelow => string.Create(CultureInfo.InvariantCulture, $"{Least} to {Most}"),
        (true, true) => $"{Lower} and {Upper}",
        (true, false) => Lower,
        _ => Upper,
    };

    private string Lower => string.Create(CultureInfo.InvariantCulture, $"{(IsAbove ? "more than" : "at least")} {Least}");

    private string Upper => string.Create(CultureInfo.InvariantCulture, $"{(IsBelow ? "less than" : "at most")} {Most}");
}
