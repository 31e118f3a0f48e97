using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>A kind of notification: what holds for it where neither the sender nor the recipient says otherwise.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Priority">How much it matters.</param>
/// <param name="Push">Whether Web Push tells of it.</param>
/// <param name="Email">Whether an e-mail does.</param>
internal sealed record KindRule(string Name, NotificationPriority Priority, bool Push, bool Email);

/// <summary>The kinds that there are: those that are built in, and the configuration over them.</summary>
internal sealed partial class NotificationKinds
{
    private static readonly KindRule[] BuiltIn =
    [
        new("mention", NotificationPriority.Normal, Push: true, Email: true),
        new("invitation", NotificationPriority.Normal, Push: true, Email: true),
        new("badge", NotificationPriority.Low, Push: false, Email: false),
        new("system", NotificationPriority.High, Push: true, Email: true),
    ];

    private readonly FrozenDictionary<string, KindRule> _kinds;

    public NotificationKinds(IOptions<NotificationOptions> options)
    {
        var kinds = BuiltIn.ToDictionary(kind => kind.Name, StringComparer.Ordinal);
        foreach (var (name, kind) in options.Value.Kinds)
        {
            kinds[name] = new KindRule(name, kind.Priority, kind.Push, kind.Email);
        }

        _kinds = kinds.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>By name.</summary>
    public IEnumerable<KindRule> All => _kinds.Values.OrderBy(kind => kind.Name, StringComparer.Ordinal);

    public static bool IsName(string name) => Name().IsMatch(name);

    public bool TryFind(string? name, [NotNullWhen(true)] out KindRule? kind)
    {
        kind = null;
        return name is not null && _kinds.TryGetValue(name, out kind);
    }

    [GeneratedRegex("^[a-z][a-z0-9-]{0,31}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Name();
}
