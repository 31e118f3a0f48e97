using System.Globalization;

namespace RealtimeAspire.Server.Storage;

/// <summary>The rows of one day: <c>events_{class}_{day}</c> or <c>event_ids_{day}</c>.</summary>
/// <param name="Parent">The table it is a part of, <c>events_{class}</c> or <c>event_ids</c>.</param>
/// <param name="Day">The day, by UTC.</param>
internal sealed record Partition(string Parent, DateOnly Day)
{
    private const string DayFormat = "yyyyMMdd";
    private const string EventsPrefix = "events_";

    public string Name => $"{Parent}_{Day.ToString(DayFormat, CultureInfo.InvariantCulture)}";

    /// <summary>Whether it holds events; else ids.</summary>
    public bool HoldsEvents => Parent.StartsWith(EventsPrefix, StringComparison.Ordinal);

    /// <summary>How many days events are kept; 0 for ever.</summary>
    public int RetentionClass => int.Parse(Parent.AsSpan(EventsPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture);

    public static Partition Parse(string name)
    {
        var line = name.LastIndexOf('_');
        return new Partition(name[..line], DateOnly.ParseExact(name.AsSpan(line + 1), DayFormat, CultureInfo.InvariantCulture));
    }

    /// <summary>The bounds of the day, as SQL writes them.</summary>
    public (string From, string To) Bounds() => ($"{Day:yyyy-MM-dd} 00:00:00+00", $"{Day.AddDays(1):yyyy-MM-dd} 00:00:00+00");
}
