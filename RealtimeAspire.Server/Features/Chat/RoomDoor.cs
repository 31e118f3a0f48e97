using Microsoft.AspNetCore.Http;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Hooks;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Features.Chat;

/// <summary>A room as somebody sees it.</summary>
/// <param name="Caller">Who.</param>
/// <param name="Topic">The room's topic.</param>
/// <param name="State">Where its projection is, which is where its log was when he came; null: nothing was said yet.</param>
/// <param name="Horizon">He sees what is behind this offset.</param>
internal sealed record RoomView(Caller Caller, TopicKey Topic, ProjectionState? State, long Horizon)
{
    public long TopicId => State?.TopicId ?? 0;

    public long Tip => State?.Tip ?? 0;
}

/// <summary>
/// Lets somebody look into a room: admit, authorize as a look into a topic's history is, ask the application where it has a say, and bring the
/// projection to where the log is, so that he sees what was published before he asked.
/// </summary>
internal sealed class RoomDoor(
    RequestLimiter limits, TopicAccess access, Memberships memberships, TopicCatalog topics, HookPipeline<SubscribeContext> hooks, ChatProjector projector)
{
    /// <param name="context">The request.</param>
    /// <param name="room">Untrusted: what stands behind <c>room:</c>.</param>
    /// <param name="rows">The most messages that the answer may have.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<RoomView> EnterAsync(HttpContext context, string room, int rows = 1)
    {
        var (caller, topic) = (Caller.From(context.User), TopicOf(context, room));
        limits.AdmitPage(caller, rows);
        access.RequireHistory(caller, topics.Get(topic), topic.Name);
        await AskAsync(caller, topic, context.RequestAborted);
        return new RoomView(caller, topic, await projector.CatchUpAsync(topic, context.RequestAborted), memberships.HorizonOf(caller, topic.Name));
    }

    /// <summary>Whether an answer about several rooms may have what was said in one: who asked for none of them asks nobody for it.</summary>
    public bool MayGlance(Caller caller, TopicName room) => access.MayReadHistory(caller, topics.Get(room), room) && !hooks.Covers(caller, room);

    /// <summary>Whether somebody may see what was found in a room: as <see cref="EnterAsync"/>, without a word of why not.</summary>
    public async Task<bool> MayEnterAsync(Caller caller, TopicName room, CancellationToken cancellationToken)
    {
        if (!access.MayReadHistory(caller, topics.Get(room), room))
        {
            return false;
        }

        try
        {
            await AskAsync(caller, new TopicKey(caller.Tenant, room), cancellationToken);
            return true;
        }
        catch (RealtimeException)
        {
            return false;
        }
    }

    /// <summary>Lets a moderator in: who has the operation manage.</summary>
    /// <inheritdoc cref="EnterAsync" path="/param[@name!='rows']"/>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<RoomView> EnterAsModeratorAsync(HttpContext context, string room)
    {
        var (caller, topic) = (Caller.From(context.User), TopicOf(context, room));
        limits.Admit(caller);
        TopicAccess.RequireManage(caller, topic.Name);
        return new RoomView(caller, topic, await projector.CatchUpAsync(topic, context.RequestAborted), Horizon: 0);
    }

    /// <summary>The application, where it has a say.</summary>
    private async Task AskAsync(Caller caller, TopicKey topic, CancellationToken cancellationToken)
    {
        if (hooks.Covers(caller, topic.Name))
        {
            var asked = new SubscribeContext(caller.Tenant, caller.UserId, topic.Name.Value, request: null, hooks.Services, cancellationToken);
            await hooks.RunAsync(asked, caller, topic.Name, static () => Task.CompletedTask);
        }
    }

    /// <param name="context">The request.</param>
    /// <param name="room">Untrusted.</param>
    /// <exception cref="RealtimeException"><c>topic_invalid</c>.</exception>
    public static TopicKey TopicOf(HttpContext context, string room) =>
        new(Caller.From(context.User).Tenant, TopicName.Parse($"{TopicCatalog.Room}:{room}"));
}
