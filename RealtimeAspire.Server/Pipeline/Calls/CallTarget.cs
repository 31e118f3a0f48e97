using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Calls;

/// <summary>What can be called: a method on a topic.</summary>
internal readonly record struct CallTarget(TopicKey Topic, string Method);
