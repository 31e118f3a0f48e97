namespace RealtimeAspire.Server.Pipeline.Authorization;

/// <summary>What a member is to a topic. In the database and on the wire in lower case.</summary>
internal enum Role
{
    /// <summary>May do everything, and is not sent away by admins.</summary>
    Owner,

    /// <summary>May do everything.</summary>
    Admin,

    /// <summary>Reads, publishes and calls.</summary>
    Member,

    /// <summary>Reads.</summary>
    Reader,

    /// <summary>May do nothing, whatever is open or granted otherwise.</summary>
    Banned,
}

/// <summary>Reads roles.</summary>
internal static class Roles
{
    /// <param name="text">Untrusted: a name in lower case.</param>
    /// <param name="role">The role, where the result is true.</param>
    public static bool TryParse(string? text, out Role role)
    {
        (role, var isKnown) = text switch
        {
            "owner" => (Role.Owner, true),
            "admin" => (Role.Admin, true),
            "member" => (Role.Member, true),
            "reader" => (Role.Reader, true),
            "banned" => (Role.Banned, true),
            _ => (Role.Banned, false),
        };
        return isKnown;
    }
}

/// <summary>Somebody's place in a topic.</summary>
/// <param name="Role">What he is.</param>
/// <param name="JoinedOffset">The topic's tip when he joined.</param>
internal sealed record Membership(Role Role, long JoinedOffset)
{
    public bool Allows(Operations operation) => (OperationsOf(Role) & operation) != Operations.None;

    private static Operations OperationsOf(Role role) => role switch
    {
        Role.Owner or Role.Admin => Operations.All,
        Role.Member => Operations.Participate,
        Role.Reader => Operations.Subscribe | Operations.Presence | Operations.History,
        _ => Operations.None,
    };
}
