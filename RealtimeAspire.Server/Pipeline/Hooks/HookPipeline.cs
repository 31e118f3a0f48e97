using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Authorization;

namespace RealtimeAspire.Server.Pipeline.Hooks;

/// <summary>A piece of middleware.</summary>
/// <param name="Run">Is given what was asked for, and the rest of the way.</param>
/// <param name="Covers">Which topics it is for; null: all.</param>
/// <param name="CoversEvent">Which events it has something to say about; others may pass it by. Null: all.</param>
internal sealed record Hook<TContext>(Func<TContext, Func<Task>, Task> Run, Func<Caller, TopicName, bool>? Covers = null, Func<string, bool>? CoversEvent = null)
    where TContext : HookContext;

/// <summary>The middleware of one point, in its order.</summary>
/// <param name="hooks">In the order in which they run.</param>
/// <param name="services">What they may use.</param>
internal sealed class HookPipeline<TContext>(IEnumerable<Hook<TContext>> hooks, IServiceProvider services)
    where TContext : HookContext
{
    private readonly Hook<TContext>[] _hooks = [.. hooks];

    public IServiceProvider Services => services;

    /// <summary>Whether there is middleware for what this caller asks for. What backends and the server itself do is their own decision.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="topic">For which topic; null where there is none.</param>
    /// <param name="eventName">Which event; null where there is none.</param>
    public bool Covers(Caller caller, TopicName? topic, string? eventName = null)
    {
        if (_hooks.Length == 0 || caller.IsServer || caller.IsService)
        {
            return false;
        }

        foreach (var hook in _hooks)
        {
            if ((eventName is null || hook.CoversEvent is null || hook.CoversEvent(eventName)) && Covers(hook, caller, topic))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Runs it around an act.</summary>
    /// <param name="context">What was asked for.</param>
    /// <param name="caller">By whom.</param>
    /// <param name="topic">For which topic; null where there is none.</param>
    /// <param name="act">What is done if nothing refuses it.</param>
    /// <exception cref="RealtimeException">It was refused: with a code of the middleware's, or <c>denied</c>.</exception>
    public async Task RunAsync(TContext context, Caller caller, TopicName? topic, Func<Task> act)
    {
        var hasActed = false;
        await NextAsync(0);
        if (!hasActed)
        {
            throw new RealtimeException(ErrorCode.Denied);
        }

        Task NextAsync(int at)
        {
            while (at < _hooks.Length && !Covers(_hooks[at], caller, topic))
            {
                at++;
            }

            if (at < _hooks.Length)
            {
                return _hooks[at].Run(context, () => NextAsync(at + 1));
            }

            // A second time would publish a second event.
            return hasActed ? throw new InvalidOperationException("A middleware has called the rest of the way twice.") : ActAsync();
        }

        Task ActAsync()
        {
            hasActed = true;
            return act();
        }
    }

    private static bool Covers(Hook<TContext> hook, Caller caller, TopicName? topic) => topic is not { } name || hook.Covers is null || hook.Covers(caller, name);
}
