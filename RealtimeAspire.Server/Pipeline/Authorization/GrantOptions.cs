using System.ComponentModel.DataAnnotations;

namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>An element of <c>Realtime:Grants</c>: what every signed-in user may do whose token says nothing of grants.</summary>
internal sealed class GrantOptions
{
    /// <summary>Which topics: <c>room:general</c>, <c>room:team-*</c>, <c>room:*</c>, <c>user:{sub}</c> or <c>*</c>. Required.</summary>
    [Required]
    public string Topic { get; set; } = "";

    /// <summary>What: subscribe, publish, presence, history, call, manage, or * for all. Required.</summary>
    [MinLength(1)]
    public string[] Operations { get; set; } = [];

    /// <summary>For publish, the event names; a last <c>*</c> stands for any end. Default: what the topic's type lets clients publish.</summary>
    [MaxLength(100)]
    public string[]? Events { get; set; }

    /// <exception cref="FormatException">It is none; the message says why.</exception>
    public Grant ToGrant() => new(
        TopicPattern.Parse(Topic),
        Operations.Aggregate(Authorization.Operations.None, static (all, one) => all | Grant.OperationOf(one)),
        Events?.Select(Grant.RequireEvents).ToArray());
}
