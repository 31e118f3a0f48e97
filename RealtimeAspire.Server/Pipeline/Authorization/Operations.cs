namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>What can be done with a topic. On the wire their names are in lower case.</summary>
[Flags]
internal enum Operations
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Read what is live, and recover it from a position.</summary>
    Subscribe = 1,

    /// <summary>Publish the events that the grant or the topic's type names.</summary>
    Publish = 2,

    /// <summary>See who is there.</summary>
    Presence = 4,

    /// <summary>Read the past: History, and a rewind.</summary>
    History = 8,

    /// <summary>Call what others handle.</summary>
    Call = 16,

    /// <summary>Say who may do what here, and look after it.</summary>
    Manage = 32,

    /// <summary>What members have.</summary>
    Participate = Subscribe | Publish | Presence | History | Call,

    /// <summary>Everything.</summary>
    All = Participate | Manage,
}
