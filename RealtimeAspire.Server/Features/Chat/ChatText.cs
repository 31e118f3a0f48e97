namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A text that somebody wants to say in a room, new or in the place of another.</summary>
/// <param name="Tenant">The tenant, from the token.</param>
/// <param name="Room">The room's topic.</param>
/// <param name="UserId">Who.</param>
/// <param name="Text">Markdown source.</param>
public sealed record ChatText(string Tenant, string Room, string UserId, string Text);

/// <summary>A filter of the application's own.</summary>
/// <param name="Filter">Answers what is said instead, mostly the same; null refuses.</param>
internal sealed record ChatFilter(Func<ChatText, ValueTask<string?>> Filter);
