using System.Buffers;
using MessagePack.Formatters;

namespace MessagePack.Formatters
{
    public interface IMessagePackFormatter;

    public interface IMessagePackFormatter<T> : IMessagePackFormatter
    {
        void Serialize(ref MessagePackWriter writer, T value, MessagePackSerializerOptions options);

        T Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options);
    }
}

namespace MessagePack
{
    public interface IFormatterResolver
    {
        /// <returns>Null: it knows none.</returns>
        IMessagePackFormatter<T>? GetFormatter<T>();
    }

    public static class FormatterResolverExtensions
    {
        public static IMessagePackFormatter<T> GetFormatterWithVerify<T>(this IFormatterResolver resolver)
        {
            ArgumentNullException.ThrowIfNull(resolver);
            return resolver.GetFormatter<T>() ?? throw new FormatterNotRegisteredException($"{typeof(T).FullName} is not registered in resolver: {resolver.GetType()}");
        }
    }

    public class MessagePackSerializationException : Exception
    {
        public MessagePackSerializationException()
        {
        }

        public MessagePackSerializationException(string? message)
            : base(message)
        {
        }

        public MessagePackSerializationException(string? message, Exception? inner)
            : base(message, inner)
        {
        }
    }

    public class FormatterNotRegisteredException(string? message) : MessagePackSerializationException(message);

    public readonly struct ExtensionResult(sbyte typeCode, ReadOnlySequence<byte> data)
    {
        public sbyte TypeCode { get; } = typeCode;

        public ReadOnlySequence<byte> Data { get; } = data;
    }

    /// <summary>The few types that need no contract.</summary>
    internal sealed class PrimitiveResolver
        : IFormatterResolver, IMessagePackFormatter<bool>, IMessagePackFormatter<int>, IMessagePackFormatter<long>, IMessagePackFormatter<double>, IMessagePackFormatter<string?>
    {
        public static readonly PrimitiveResolver Instance = new();

        public IMessagePackFormatter<T>? GetFormatter<T>() => this as IMessagePackFormatter<T>;

        public void Serialize(ref MessagePackWriter writer, bool value, MessagePackSerializerOptions options) => writer.Write(value);

        public void Serialize(ref MessagePackWriter writer, int value, MessagePackSerializerOptions options) => writer.Write(value);

        public void Serialize(ref MessagePackWriter writer, long value, MessagePackSerializerOptions options) => writer.Write(value);

        public void Serialize(ref MessagePackWriter writer, double value, MessagePackSerializerOptions options) => writer.Write(value);

        public void Serialize(ref MessagePackWriter writer, string? value, MessagePackSerializerOptions options) => writer.Write(value);

        bool IMessagePackFormatter<bool>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => reader.ReadBoolean();

        int IMessagePackFormatter<int>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => reader.ReadInt32();

        long IMessagePackFormatter<long>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => reader.ReadInt64();

        double IMessagePackFormatter<double>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => reader.ReadDouble();

        string? IMessagePackFormatter<string?>.Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions options) => reader.ReadString();
    }
}
